// A region that the reader draws on the film: its shape and points, and what drawing, moving and sizing do to it. Pure.

export type Shape = 'rectangle' | 'ellipse' | 'freehand';

/**
 * Points are [column, row] of the stored image, whole numbers; (0, 0) is the upper left corner of its first pixel and
 * (columns, rows) the lower right corner of its last, as in DICOM's spatial coordinates (PS3.3 C.18.6). Rectangle and
 * ellipse: the upper left and the lower right corner of the box around them. Freehand: a closed line of at least three.
 */
export interface Region {
  shape: Shape;
  points: [number, number][];
}

/** Columns and rows of the image that it is drawn on. */
export interface Extent {
  columns: number;
  rows: number;
}

/** What a press took hold of, until it is let go. */
export type Grip =
  | { is: 'drawing'; shape: Shape; trail: [number, number][] }
  | { is: 'moving'; region: Region; from: [number, number] }
  | { is: 'sizing'; shape: Shape; fixed: [number, number] };

/** Image pixels a side; under it a press was a slip and draws nothing. */
const LEAST = 4;
/** A freehand line gets a point only this far (image pixels) from the one before: nearer ones are the hand's tremor. */
const STRIDE = 3;
/** Points of a freehand line; a longer one keeps every second, which at this number still follows any hand. */
export const MOST_POINTS = 256;

/** Takes hold of a corner or the inside of `region`, or begins a new one. `reach` is a finger's width in image pixels. */
export function grip(shape: Shape, region: Region | null, at: [number, number], reach: number): Grip {
  if (region?.shape !== shape) return { is: 'drawing', shape, trail: [at] };
  const corner = shape === 'freehand' ? -1 : corners(region).findIndex((one) => Math.hypot(one[0] - at[0], one[1] - at[1]) <= reach);
  const fixed = corners(region)[(corner + 2) % 4];
  if (corner >= 0 && fixed !== undefined) return { is: 'sizing', shape, fixed };
  return inside(region, at) ? { is: 'moving', region, from: at } : { is: 'drawing', shape, trail: [at] };
}

/** Where the grip leads when the pointer is at `at`; null while too small to be meant. */
export function drawn(held: Grip, extent: Extent, at: [number, number]): Region | null {
  switch (held.is) {
    case 'moving':
      return moved(held.region, extent, at[0] - held.from[0], at[1] - held.from[1]);
    case 'sizing':
      return box(held.shape, extent, held.fixed, at);
    case 'drawing':
      return held.shape === 'freehand' ? closed(held.trail, extent, at) : box(held.shape, extent, held.trail[0] ?? at, at);
  }
}

/** Lets a freehand line remember where the pointer went. */
export function traced(held: Grip, at: [number, number]): Grip {
  if (held.is !== 'drawing' || held.shape !== 'freehand') return held;
  const last = held.trail.at(-1);
  if (last !== undefined && Math.hypot(last[0] - at[0], last[1] - at[1]) < STRIDE) return held;
  const trail = held.trail.length >= MOST_POINTS ? held.trail.filter((_, i) => i % 2 === 0) : held.trail;
  return { ...held, trail: [...trail, at] };
}

function box(shape: Shape, extent: Extent, a: [number, number], b: [number, number]): Region | null {
  const [from, to] = [within(a, extent), within(b, extent)];
  const [left, right] = [Math.min(from[0], to[0]), Math.max(from[0], to[0])];
  const [top, bottom] = [Math.min(from[1], to[1]), Math.max(from[1], to[1])];
  return right - left < LEAST || bottom - top < LEAST ? null : { shape, points: [[left, top], [right, bottom]] };
}

function closed(trail: readonly [number, number][], extent: Extent, at: [number, number]): Region | null {
  const points = [...trail, at].map((point) => within(point, extent)).filter((point, i, all) => i === 0 || point.join() !== all[i - 1]?.join());
  const region: Region = { shape: 'freehand', points };
  const [left, top, right, bottom] = bounds(region);
  return points.length < 3 || right - left < LEAST || bottom - top < LEAST ? null : region;
}

function within([x, y]: [number, number], { columns, rows }: Extent): [number, number] {
  return [Math.min(Math.max(Math.round(x), 0), columns), Math.min(Math.max(Math.round(y), 0), rows)];
}

/** Left, top, right and bottom of the box around it. */
export function bounds({ points }: Region): [number, number, number, number] {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** The four corners of the box, in order round it. */
export function corners(region: Region): [number, number][] {
  const [left, top, right, bottom] = bounds(region);
  return [[left, top], [right, top], [right, bottom], [left, bottom]];
}

function inside(region: Region, [x, y]: [number, number]): boolean {
  const [left, top, right, bottom] = bounds(region);
  if (region.shape === 'rectangle') return x >= left && x <= right && y >= top && y <= bottom;
  if (region.shape === 'ellipse') return ((2 * x - left - right) / (right - left)) ** 2 + ((2 * y - top - bottom) / (bottom - top)) ** 2 <= 1;
  // Even-odd: a ray to the right crosses the line an odd number of times.
  return region.points.filter(([ax, ay], i) => {
    const [bx, by] = region.points[(i + 1) % region.points.length] ?? [ax, ay];
    return ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax;
  }).length % 2 === 1;
}

/** Moved by whole pixels, as far as the image goes. */
export function moved(region: Region, { columns, rows }: Extent, dx: number, dy: number): Region {
  const [left, top, right, bottom] = bounds(region);
  const by = [Math.min(Math.max(Math.round(dx), -left), columns - right), Math.min(Math.max(Math.round(dy), -top), rows - bottom)] as const;
  return { shape: region.shape, points: region.points.map(([x, y]) => [x + by[0], y + by[1]]) };
}

/** Its lower right corner moved, the upper left staying; a freehand line is stretched with its box. */
export function sized(region: Region, { columns, rows }: Extent, dx: number, dy: number): Region {
  const [left, top, right, bottom] = bounds(region);
  const across = Math.min(Math.max(right - left + Math.round(dx), LEAST), columns - left) / (right - left);
  const down = Math.min(Math.max(bottom - top + Math.round(dy), LEAST), rows - top) / (bottom - top);
  return { shape: region.shape, points: region.points.map(([x, y]) => [Math.round(left + (x - left) * across), Math.round(top + (y - top) * down)]) };
}

/** A region without a pointer: in the middle of the image, a third of its sides. */
export function inMiddle(shape: Shape, { columns, rows }: Extent): Region {
  const middle: Region = { shape: 'rectangle', points: [[Math.round(columns / 3), Math.round(rows / 3)], [Math.round((2 * columns) / 3), Math.round((2 * rows) / 3)]] };
  return shape === 'freehand' ? { shape, points: corners(middle) } : { shape, points: middle.points };
}

const NAMES: Record<Shape, string> = { rectangle: 'Rectangle', ellipse: 'Ellipse', freehand: 'Freehand line' };

/** "Rectangle, columns 100 to 300, rows 50 to 200". */
export function regionWords(region: Region): string {
  const [left, top, right, bottom] = bounds(region);
  return `${NAMES[region.shape]}, columns ${left} to ${right}, rows ${top} to ${bottom}`;
}
