// Where the image lies on the viewer: zoom and offset, in device pixels. Pure.

/** Image pixel (x, y) lies at device pixel (x · scale + left, y · scale + top). */
export interface Placement {
  scale: number;
  left: number;
  top: number;
}

/** Width and height, in pixels of whatever is measured. */
export interface Size {
  width: number;
  height: number;
}

/** A point, in device pixels of the viewer. */
export interface Point {
  x: number;
  y: number;
}

/** Zoom steps of the buttons and keys. */
export const STEP = 1.25;
/** A preview pixel is never magnified beyond this: past it there is only interpolation to look at. */
const MOST = 16;

/** The whole image, centred, as large as it goes. */
export function fit(image: Size, view: Size): Placement {
  const scale = Math.min(view.width / image.width, view.height / image.height);
  return centred(image, view, scale);
}

/** One preview pixel per device pixel, centred: exactly, nothing is interpolated. */
export function actual(image: Size, view: Size): Placement {
  return centred(image, view, 1);
}

function centred(image: Size, view: Size, scale: number): Placement {
  // On whole device pixels, lest 1:1 be smeared over two.
  return { scale, left: Math.round((view.width - image.width * scale) / 2), top: Math.round((view.height - image.height * scale) / 2) };
}

/** Zooms so that the image's point under `at` stays under it. */
export function zoomed(from: Placement, image: Size, view: Size, factor: number, at: Point): Placement {
  const least = fit(image, view).scale / 2;
  const scale = Math.min(Math.max(from.scale * factor, least), Math.max(MOST, least));
  const ratio = scale / from.scale;
  return kept({ scale, left: at.x - (at.x - from.left) * ratio, top: at.y - (at.y - from.top) * ratio }, image, view);
}

/** Moves the image. */
export function panned(from: Placement, image: Size, view: Size, dx: number, dy: number): Placement {
  return kept({ scale: from.scale, left: from.left + Math.round(dx), top: from.top + Math.round(dy) }, image, view);
}

/** Keeps at least a quarter of the viewer's side covered, so that the film can't be lost outside of it. */
function kept(p: Placement, image: Size, view: Size): Placement {
  const hold = (at: number, length: number, room: number): number => {
    const stay = Math.min(length, room) / 4;
    return Math.min(Math.max(at, stay - length), room - stay);
  };
  return {
    scale: p.scale,
    left: hold(p.left, image.width * p.scale, view.width),
    top: hold(p.top, image.height * p.scale, view.height),
  };
}
