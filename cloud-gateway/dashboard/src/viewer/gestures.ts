// Pointer, wheel and arrow keys on the film: one finger or the left button does what the tool says, two fingers pinch
// and pan, the middle or right button or Shift always pans, the wheel zooms, a double click zooms in on that point.
import { dragged } from '../window';
import type { Point } from '../geometry';
import type { Window } from '../grayscale';
import { tool, type View } from './view';

/** Share of the image's range that one arrow key changes the window by. */
const ARROW = 0.02;
const ARROWS: Record<string, readonly [number, number]> = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

interface Drag {
  from: Point;
  window: Window;
  pans: boolean;
}

/** Binds a canvas to a view; the returned function unbinds it. */
export function bindGestures(canvas: HTMLCanvasElement, view: View): () => void {
  const fingers = new Map<number, Point>();
  let drag: Drag | null = null;
  const at = (event: MouseEvent): Point => {
    const box = canvas.getBoundingClientRect();
    const ratio = canvas.width / Math.max(box.width, 1);
    return { x: (event.clientX - box.left) * ratio, y: (event.clientY - box.top) * ratio };
  };

  const down = (event: PointerEvent): void => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
    const pans = tool.peek() === 'pan' || event.button !== 0 || event.shiftKey;
    drag = fingers.size === 1 ? { from: at(event), window: view.window.peek(), pans } : null;
  };
  const moved = (event: PointerEvent): void => {
    const before = fingers.get(event.pointerId);
    if (before === undefined) return;
    const now = at(event);
    if (fingers.size === 2) pinch(view, fingers, event.pointerId, now);
    else if (drag?.pans === true) view.pan(now.x - before.x, now.y - before.y);
    else if (drag !== null) {
      const side = Math.min(canvas.width, canvas.height);
      view.setWindow(dragged(drag.window, view.film.range, (now.x - drag.from.x) / side, (now.y - drag.from.y) / side));
    }
    fingers.set(event.pointerId, now);
  };
  const up = (event: PointerEvent): void => {
    fingers.delete(event.pointerId);
    drag = null;
  };
  const wheel = (event: WheelEvent): void => {
    event.preventDefault();
    view.zoom(Math.exp(-Math.max(-200, Math.min(200, event.deltaY)) / 500), at(event));
  };
  const twice = (event: MouseEvent): void => view.zoom(2, at(event));
  const menu = (event: Event): void => event.preventDefault();
  const key = (event: KeyboardEvent): void => {
    if (arrow(view, event)) event.preventDefault();
  };

  canvas.addEventListener('pointerdown', down);
  canvas.addEventListener('pointermove', moved);
  canvas.addEventListener('pointerup', up);
  canvas.addEventListener('pointercancel', up);
  canvas.addEventListener('wheel', wheel, { passive: false });
  canvas.addEventListener('dblclick', twice);
  canvas.addEventListener('contextmenu', menu);
  canvas.addEventListener('keydown', key);
  return () => {
    canvas.removeEventListener('pointerdown', down);
    canvas.removeEventListener('pointermove', moved);
    canvas.removeEventListener('pointerup', up);
    canvas.removeEventListener('pointercancel', up);
    canvas.removeEventListener('wheel', wheel);
    canvas.removeEventListener('dblclick', twice);
    canvas.removeEventListener('contextmenu', menu);
    canvas.removeEventListener('keydown', key);
  };
}

/** Two fingers: the film follows their middle, and grows with their distance. */
function pinch(view: View, fingers: ReadonlyMap<number, Point>, mover: number, now: Point): void {
  const before = fingers.get(mover);
  const other = [...fingers].find(([id]) => id !== mover)?.[1];
  if (before === undefined || other === undefined) return;
  const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
  view.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
  view.zoom(Math.hypot(now.x - other.x, now.y - other.y) / Math.max(Math.hypot(before.x - other.x, before.y - other.y), 1), middle);
}

/** With the focus on the film: arrows change the window as dragging does, with Shift they move the film. */
function arrow(view: View, { key, shiftKey }: KeyboardEvent): boolean {
  const way = ARROWS[key];
  if (way === undefined) return false;
  const [dx, dy] = way;
  if (shiftKey) view.pan(dx * 40, dy * 40);
  else view.setWindow(dragged(view.window.peek(), view.film.range, dx * ARROW, dy * ARROW));
  return true;
}
