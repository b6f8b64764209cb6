// The tools' pictures, 24 × 24, drawn in the colour of the button's text.
import type { JSX } from 'preact';

const PATHS = {
  window: 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z',
  pan: 'M12 3v18M3 12h18M9.5 5.5 12 3l2.5 2.5M9.5 18.5 12 21l2.5-2.5M5.5 9.5 3 12l2.5 2.5M18.5 9.5 21 12l-2.5 2.5',
  rectangle: 'M4 6.5h16v11H4z',
  ellipse: 'M12 6c5 0 8.5 2.7 8.5 6S17 18 12 18s-8.5-2.7-8.5-6S7 6 12 6z',
  freehand: 'M5.5 16.5C3 11 7 4.5 12.5 5s8 4.5 6 8.5-4.5 2-6.5 4-5 3.5-6.5-1z',
  remove: 'M5 7h14M10 7V4.500h4V7M7 7l.8 12.500h8.400L17 7M10.5 10.500v6M13.5 10.500v6',
  zoomIn: 'M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5 20.5 20.500M10.5 7.500v6M7.5 10.500h6',
  zoomOut: 'M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5 20.5 20.500M7.5 10.500h6',
  fit: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5M8.5 8.500h7v7h-7z',
  anticlockwise: 'M4.5 4.500v5.500H10M5 10a7.8 7.8 0 1 1-.6 5',
  clockwise: 'M19.5 4.500v5.500H14M19 10a7.8 7.8 0 1 0 .6 5',
  invert: 'M4 4h16v16H4z',
  fullscreen: 'M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7',
} as const;

export type IconName = keyof typeof PATHS;

/** The filled half of what stands for contrast. */
const FILLED: Partial<Record<IconName, string>> = { window: 'M12 4a8 8 0 0 1 0 16z', invert: 'M20 4v16H4z' };

export function Icon({ name }: { name: IconName }): JSX.Element {
  const filled = FILLED[name];
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
      {filled !== undefined && <path class="filled" d={filled} />}
    </svg>
  );
}
