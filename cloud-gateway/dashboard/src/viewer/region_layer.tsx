// The drawn region over the film, where it can be moved, sized and removed by keys as well. The pointer's strokes are
// the pen's (`pen.ts`); nothing here takes them.
import type { JSX } from 'preact';
import { toView, type Placement, type Size } from '../geometry';
import { bounds, corners, moved, regionWords, sized, type Extent, type Region } from '../region';
import { layOver } from './layers';

interface Props {
  region: Region;
  /** Where the film lies as it is drawn now. */
  place: Placement;
  image: Size;
  /** The stage, device pixels. */
  size: Size;
  /** Shows the corners that can be taken hold of. */
  editing: boolean;
  onRegion: (region: Region | null) => void;
}

/** CSS pixels. */
const [LINE, CORNER] = [2, 9];
/** Image pixels that one arrow key moves by; with Shift, sizes by. */
const NUDGE = 4;
const ARROWS: Record<string, readonly [number, number]> = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

export function RegionLayer({ region, place, image, size, editing, onRegion }: Props): JSX.Element {
  const extent: Extent = { columns: image.width, rows: image.height };
  const ratio = devicePixelRatio;
  const key = (event: KeyboardEvent): void => {
    const next = afterKey(region, extent, event);
    if (next === undefined) return;
    event.preventDefault();
    onRegion(next);
  };
  const outline = outlineOf(region, place, image);
  return (
    <svg class="region" viewBox={`0 0 ${size.width} ${size.height}`} ref={(svg) => layOver(svg, size)}>
      <g
        id="region"
        tabindex={0}
        role="img"
        aria-label={`${regionWords(region)}. Arrow keys move it, with Shift they size it, Delete removes it.`}
        onKeyDown={key}
      >
        <path class="casing" d={outline} stroke-width={(LINE + 2) * ratio} />
        <path class="line" d={outline} stroke-width={LINE * ratio} />
        {editing &&
          region.shape !== 'freehand' &&
          corners(region).map(([x, y]) => {
            const at = toView(place, image, { x, y });
            const side = CORNER * ratio;
            return <rect key={`${x} ${y}`} class="corner-grip" x={at.x - side / 2} y={at.y - side / 2} width={side} height={side} stroke-width={ratio} />;
          })}
      </g>
    </svg>
  );
}

/** What a key makes of the region: undefined if it is none of the region's keys. */
function afterKey(region: Region, extent: Extent, { key, shiftKey }: KeyboardEvent): Region | null | undefined {
  if (key === 'Delete' || key === 'Backspace') return null;
  const way = ARROWS[key];
  if (way === undefined) return undefined;
  const [dx, dy] = [way[0] * NUDGE, way[1] * NUDGE];
  return shiftKey ? sized(region, extent, dx, dy) : moved(region, extent, dx, dy);
}

function outlineOf(region: Region, place: Placement, image: Size): string {
  const at = ([x, y]: [number, number]): string => {
    const point = toView(place, image, { x, y });
    return `${point.x.toFixed(1)} ${point.y.toFixed(1)}`;
  };
  if (region.shape !== 'ellipse') {
    const points = region.shape === 'rectangle' ? corners(region) : region.points;
    return `M ${points.map(at).join(' L ')} Z`;
  }
  const [left, top, right, bottom] = bounds(region);
  const radii = [((right - left) / 2) * place.scale, ((bottom - top) / 2) * place.scale];
  const [rx = 0, ry = 0] = place.turn % 180 === 0 ? radii : radii.reverse();
  const [west, east] = [at([left, (top + bottom) / 2]), at([right, (top + bottom) / 2])];
  return `M ${west} A ${rx} ${ry} 0 1 1 ${east} A ${rx} ${ry} 0 1 1 ${west} Z`;
}
