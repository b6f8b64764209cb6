// The model's evidence grid as a smooth coloured layer over the radiograph. Pure: numbers in, RGBA pixels out.

/** A grid of evidence that covers the whole image; 0 to 255, relative to the strongest point of this image. */
export interface Grid {
  rows: number;
  columns: number;
  values: Uint8Array;
}

/**
 * Anchor colours of viridis: lightness rises evenly along it, so it reads the same with every kind of colour blindness
 * and in grey print; none of its colours is a grey that could pass for the film's own.
 */
const VIRIDIS: readonly (readonly [number, number, number])[] = [
  [68, 1, 84],
  [72, 40, 120],
  [62, 74, 137],
  [49, 104, 142],
  [38, 130, 142],
  [31, 158, 137],
  [53, 183, 121],
  [109, 205, 89],
  [180, 222, 44],
  [253, 231, 37],
];

/** Under this share of the strongest evidence nothing is drawn, so that the film stays visible where little speaks. */
export const FLOOR = 0.15;
/** From this share on the layer is as opaque as the slider says. */
const FULL = 0.6;
/** Contour lines are drawn at these shares of the strongest evidence. */
export const CONTOURS = [0.5, 0.8] as const;

/** Colour of a share 0 to 1 of the strongest evidence. */
export function colourOf(share: number): [number, number, number] {
  const at = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const below = Math.min(Math.floor(at), VIRIDIS.length - 2);
  const [a, b] = [VIRIDIS[below] ?? [0, 0, 0], VIRIDIS[below + 1] ?? [0, 0, 0]];
  const mix = (i: 0 | 1 | 2): number => Math.round(a[i] + (b[i] - a[i]) * (at - below));
  return [mix(0), mix(1), mix(2)];
}

/** Opacity 0 to 1 of a share: nothing under FLOOR, smoothly up to 1 at FULL. */
export function opacityOf(share: number): number {
  const t = Math.min(Math.max((share - FLOOR) / (FULL - FLOOR), 0), 1);
  return t * t * (3 - 2 * t);
}

/** Cubic B-spline weights of the four neighbours at `t` 0 to 1 past the second: never negative, so never overshooting. */
function weights(t: number): [number, number, number, number] {
  const u = 1 - t;
  return [(u * u * u) / 6, (3 * t * t * t - 6 * t * t + 4) / 6, (3 * u * u * u - 6 * u * u + 4) / 6, (t * t * t) / 6];
}

/** One axis of the upsampling: for each target pixel its first neighbour and the four weights. */
function axis(cells: number, pixels: number): { from: number; w: [number, number, number, number] }[] {
  return Array.from({ length: pixels }, (_, i) => {
    // Centres of cells lie at k + 0.5 on the grid's ruler, centres of pixels at (i + 0.5) · cells / pixels.
    const at = ((i + 0.5) * cells) / pixels - 0.5;
    const below = Math.floor(at);
    return { from: below - 1, w: weights(at - below) };
  });
}

/** The grid on `rows` × `columns` pixels, smooth, again relative to its strongest point (0 to 1). */
export function upsample(grid: Grid, rows: number, columns: number): Float32Array {
  const across = axis(grid.columns, columns);
  const wide = new Float32Array(grid.rows * columns);
  for (let r = 0; r < grid.rows; r++) {
    across.forEach(({ from, w }, c) => {
      wide[r * columns + c] = w.reduce((sum, weight, k) => sum + weight * (grid.values[r * grid.columns + clamp(from + k, grid.columns)] ?? 0), 0);
    });
  }
  const field = new Float32Array(rows * columns);
  let strongest = 0;
  axis(grid.rows, rows).forEach(({ from, w }, r) => {
    for (let c = 0; c < columns; c++) {
      let sum = 0;
      for (let k = 0; k < 4; k++) sum += (w[k] ?? 0) * (wide[clamp(from + k, grid.rows) * columns + c] ?? 0);
      field[r * columns + c] = sum;
      if (sum > strongest) strongest = sum;
    }
  });
  return strongest > 0 ? field.map((value) => value / strongest) : field;
}

function clamp(i: number, n: number): number {
  return Math.min(Math.max(i, 0), n - 1);
}

/** Colours a field: RGBA bytes, row-major, alpha by strength. */
export function colourise(field: Float32Array): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray(field.length * 4);
  field.forEach((share, i) => {
    const [r, g, b] = colourOf(share);
    rgba.set([r, g, b, Math.round(opacityOf(share) * 255)], i * 4);
  });
  return rgba;
}

/**
 * Only the contour lines of a field, each bright on its inner side and black on its outer, so that it is seen over bone
 * as well as over lung.
 */
export function contours(field: Float32Array, rows: number, columns: number): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray(field.length * 4);
  CONTOURS.forEach((level, nth) => {
    const bright = [...colourOf(nth === 0 ? 0.75 : 1), 255];
    const inside = (r: number, c: number): boolean => (field[clamp(r, rows) * columns + clamp(c, columns)] ?? 0) >= level;
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        const here = inside(r, c);
        const edge = here !== inside(r - 1, c) || here !== inside(r + 1, c) || here !== inside(r, c - 1) || here !== inside(r, c + 1);
        if (edge) rgba.set(here ? bright : [0, 0, 0, 200], (r * columns + c) * 4);
      }
    }
  });
  return rgba;
}
