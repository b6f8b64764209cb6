// Where the image lies on the viewer: zoom, turn and offset, in device pixels. Pure. There is no mirroring here, and
// none may be added: a mirrored chest is another patient's.

/** Quarter turns, clockwise, in degrees. */
export type Turn = 0 | 90 | 180 | 270;

/** The turned image's upper left corner lies at (left, top); an image pixel is `scale` device pixels wide. */
export interface Placement {
  scale: number;
  turn: Turn;
  left: number;
  top: number;
}

/** Width and height, in pixels of whatever is measured. */
export interface Size {
  width: number;
  height: number;
}

/** A point, in device pixels of the viewer or in columns and rows of the image (0, 0 is its upper left corner). */
export interface Point {
  x: number;
  y: number;
}

/** Zoom steps of the buttons and keys. */
export const STEP = 1.25;
/** A preview pixel is never magnified beyond this: past it there is only interpolation to look at. */
const MOST = 16;

/** The size of the image once it is turned. */
export function turnedSize({ width, height }: Size, turn: Turn): Size {
  return turn === 90 || turn === 270 ? { width: height, height: width } : { width, height };
}

/** The device pixel of a point of the image. */
export function toView({ scale, turn, left, top }: Placement, image: Size, { x, y }: Point): Point {
  const at = { 0: { x, y }, 90: { x: image.height - y, y: x }, 180: { x: image.width - x, y: image.height - y }, 270: { x: y, y: image.width - x } }[turn];
  return { x: left + at.x * scale, y: top + at.y * scale };
}

/** The point of the image at a device pixel; may lie beside the image. */
export function toImage({ scale, turn, left, top }: Placement, image: Size, at: Point): Point {
  const [x, y] = [(at.x - left) / scale, (at.y - top) / scale];
  return { 0: { x, y }, 90: { x: y, y: image.height - x }, 180: { x: image.width - x, y: image.height - y }, 270: { x: image.width - y, y: x } }[turn];
}

/** The whole image, centred, as large as it goes. */
export function fit(image: Size, view: Size, turn: Turn = 0): Placement {
  const { width, height } = turnedSize(image, turn);
  return centred(image, view, turn, Math.min(view.width / width, view.height / height));
}

/** One preview pixel per device pixel, centred: exactly, nothing is interpolated. */
export function actual(image: Size, view: Size, turn: Turn = 0): Placement {
  return centred(image, view, turn, 1);
}

function centred(image: Size, view: Size, turn: Turn, scale: number): Placement {
  const { width, height } = turnedSize(image, turn);
  // On whole device pixels, lest 1:1 be smeared over two.
  return { scale, turn, left: Math.round((view.width - width * scale) / 2), top: Math.round((view.height - height * scale) / 2) };
}

/** Zooms so that the image's point under `at` stays under it. */
export function zoomed(from: Placement, image: Size, view: Size, factor: number, at: Point): Placement {
  const least = fit(image, view, from.turn).scale / 2;
  const scale = Math.min(Math.max(from.scale * factor, least), Math.max(MOST, least));
  const ratio = scale / from.scale;
  return kept({ ...from, scale, left: at.x - (at.x - from.left) * ratio, top: at.y - (at.y - from.top) * ratio }, image, view);
}

/** Moves the image. */
export function panned(from: Placement, image: Size, view: Size, dx: number, dy: number): Placement {
  return kept({ ...from, left: from.left + Math.round(dx), top: from.top + Math.round(dy) }, image, view);
}

/** Turns the image about what lies in the viewer's middle. */
export function turnedTo(from: Placement, image: Size, view: Size, turn: Turn): Placement {
  const middle = { x: view.width / 2, y: view.height / 2 };
  const there = toView({ ...from, turn, left: 0, top: 0 }, image, toImage(from, image, middle));
  return kept({ ...from, turn, left: Math.round(middle.x - there.x), top: Math.round(middle.y - there.y) }, image, view);
}

/** A quarter turn on from `turn`. */
export function quarter(turn: Turn, way: 'clockwise' | 'anticlockwise'): Turn {
  const turns: readonly Turn[] = [0, 90, 180, 270];
  return turns[(turns.indexOf(turn) + (way === 'clockwise' ? 1 : 3)) % 4] ?? 0;
}

/** Keeps at least a quarter of the viewer's side covered, so that the film can't be lost outside of it. */
function kept(p: Placement, image: Size, view: Size): Placement {
  const { width, height } = turnedSize(image, p.turn);
  const hold = (at: number, length: number, room: number): number => {
    const stay = Math.min(length, room) / 4;
    return Math.min(Math.max(at, stay - length), room - stay);
  };
  return { ...p, left: hold(p.left, width * p.scale, view.width), top: hold(p.top, height * p.scale, view.height) };
}
