// Pointer, wheel and arrow keys on the film: one finger or the left button does what the tool says, two fingers pinch
// and pan, the middle or right button or Shift always pans, the wheel zooms, a double click zooms in on that point.
import { dragged } from '../window';
import type { Point } from '../geometry';
import type { Window } from '../grayscale';
import { originOf } from './layers';
import type { Pen } from './pen';
import type { View } from './view';

/** Share of the image's range that one arrow key changes the window by. */
const ARROW = 0.02;
/** CSS pixels that one arrow key with Shift moves the film by. */
const STEP = 40;
const ARROWS: Record<string, readonly [number, number]> = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

type Drag = { does: 'pan' } | { does: 'draw' } | { does: 'window'; from: Point; window: Window };

/** Binds the stage to a view; the returned function unbinds it. */
export function bindGestures(stage: HTMLElement, view: View, pen: Pen): () => void {
  const bound = new AbortController();
  const on = <K extends keyof HTMLElementEventMap>(type: K, listen: (event: HTMLElementEventMap[K]) => void, passive = true): void =>
    stage.addEventListener(type, listen, { passive, signal: bound.signal });
  const at = (event: MouseEvent): Point => {
    const origin = originOf(stage);
    return { x: event.clientX * devicePixelRatio - origin.x, y: event.clientY * devicePixelRatio - origin.y };
  };
  bindPointers(stage, view, pen, on, at);
  on('wheel', (event) => {
    event.preventDefault();
    view.zoom(Math.exp(-Math.max(-200, Math.min(200, event.deltaY)) / 500), at(event));
  }, false);
  on('dblclick', (event) => {
    const { value } = view.tool;
    if (onFilm(event) && (value === 'window' || value === 'pan')) view.zoom(2, at(event));
  });
  on('contextmenu', (event) => event.preventDefault(), false);
  on('keydown', (event) => {
    // What lies on the film, a region or a button, has its own keys.
    if (event.target === stage && arrow(view, event)) event.preventDefault();
  }, false);
  return () => bound.abort();
}

type On = <K extends keyof HTMLElementEventMap>(type: K, listen: (event: HTMLElementEventMap[K]) => void, passive?: boolean) => void;

function bindPointers(stage: HTMLElement, view: View, pen: Pen, on: On, at: (event: MouseEvent) => Point): void {
  const fingers = new Map<number, Point>();
  let drag: Drag | null = null;
  on('pointerdown', (event) => {
    if (!onFilm(event)) return;
    stage.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
    // A second finger makes a pinch of what began as a stroke.
    if (fingers.size > 1 && drag?.does === 'draw') pen.lift(true);
    drag = fingers.size === 1 ? begin(view, pen, event, at(event)) : null;
  });
  on('pointermove', (event) => {
    const before = fingers.get(event.pointerId);
    if (before === undefined) return;
    const now = at(event);
    if (fingers.size === 2) pinch(view, fingers, event.pointerId, now);
    else if (drag !== null) follow(view, pen, drag, before, now);
    fingers.set(event.pointerId, now);
  });
  const up = (drop: boolean) => (event: PointerEvent): void => {
    if (!fingers.delete(event.pointerId)) return;
    if (drag?.does === 'draw') pen.lift(drop);
    drag = null;
  };
  on('pointerup', up(false));
  on('pointercancel', up(true));
}

/** Not on a button or a message that lies over the film. */
function onFilm({ target }: Event): boolean {
  return !(target instanceof Element && target.closest('button, a, .notice') !== null);
}

function begin(view: View, pen: Pen, event: PointerEvent, at: Point): Drag {
  const tool = view.tool.peek();
  if (tool === 'pan' || event.button !== 0 || event.shiftKey) return { does: 'pan' };
  if (tool === 'window') return { does: 'window', from: at, window: view.window.peek() };
  pen.press(tool, at);
  return { does: 'draw' };
}

function follow(view: View, pen: Pen, drag: Drag, before: Point, now: Point): void {
  switch (drag.does) {
    case 'pan':
      return view.pan(now.x - before.x, now.y - before.y);
    case 'draw':
      return pen.move(now);
    case 'window': {
      const { width, height } = view.size.peek();
      const side = Math.min(width, height);
      view.setWindow(dragged(drag.window, view.film.range, (now.x - drag.from.x) / side, (now.y - drag.from.y) / side));
    }
  }
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
  if (shiftKey) view.pan(dx * STEP * devicePixelRatio, dy * STEP * devicePixelRatio);
  else view.setWindow(dragged(view.window.peek(), view.film.range, dx * ARROW, dy * ARROW));
  return true;
}
