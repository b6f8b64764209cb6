// The viewer alone on the screen, and whether this browser can do that at all.
import { signal } from '@preact/signals';

export const fullscreenPossible = document.fullscreenEnabled;
export const fullscreen = signal(false);

document.addEventListener('fullscreenchange', () => (fullscreen.value = document.fullscreenElement !== null));

/** There and back. A browser that refuses leaves everything as it is. */
export function toggleFullscreen(): void {
  const viewer = document.querySelector('.viewer');
  const done = document.fullscreenElement === null ? viewer?.requestFullscreen() : document.exitFullscreen();
  done?.catch(() => undefined);
}
