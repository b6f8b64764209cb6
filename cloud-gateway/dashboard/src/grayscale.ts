// The grey-scale transform of DICOM PS3.3 C.11.2 from stored preview samples to 8-bit grey, the same one that the model
// saw the image under. Rust's `reader::pixels::grayscale` and this file are tested by one file of reference vectors.
// Pure: no canvas, no fetch.

/** A VOI transform (values of interest to display), as the API tells it. */
export type Voi =
  | { kind: 'full_range' }
  | { kind: 'linear' | 'linear_exact' | 'sigmoid'; center: number; width: number }
  | { kind: 'lut'; first: number; bits: number; data: ArrayLike<number> };

/** The window of a transform, in units after the modality LUT. */
export interface Window {
  center: number;
  width: number;
}

/** Least and greatest value of an image, in units after the modality LUT. */
export interface Range {
  min: number;
  max: number;
}

/** All that a sample's grey depends on, besides the sample. */
export interface Recipe {
  voi: Voi;
  /** value = sample + offset. */
  offset: number;
  /** True turns the picture into its negative, after the VOI transform (MONOCHROME1). */
  invert: boolean;
  /** What `full_range` spans. */
  range: Range;
}

/** Samples are u16, so a table of this size answers for every possible one. */
const SAMPLES = 65_536;

/** Finds the least and greatest value of an image; {0, 0} of an empty one. */
export function rangeOf(samples: Uint16Array, offset: number): Range {
  let min = Infinity;
  let max = -Infinity;
  for (const sample of samples) {
    if (sample < min) min = sample;
    if (sample > max) max = sample;
  }
  return samples.length === 0 ? { min: 0, max: 0 } : { min: min + offset, max: max + offset };
}

/** Grey of one value, 0 to 255 before rounding and inversion. */
function shade(voi: Voi, range: Range, x: number): number {
  switch (voi.kind) {
    case 'linear':
      return linear(x, voi.center, voi.width);
    case 'linear_exact':
      return linearExact(x, voi.center, voi.width);
    case 'sigmoid':
      return 255 / (1 + Math.exp((-4 * (x - voi.center)) / voi.width));
    case 'lut':
      return lookUp(voi, x);
    case 'full_range':
      return fullRange(range, x);
  }
}

/** PS3.3 C.11.2.1.2.1: the default, LINEAR. */
function linear(x: number, c: number, w: number): number {
  if (x <= c - 0.5 - (w - 1) / 2) return 0;
  if (x > c - 0.5 + (w - 1) / 2) return 255;
  return ((x - (c - 0.5)) / (w - 1) + 0.5) * 255;
}

/** PS3.3 C.11.2.1.3.2: LINEAR_EXACT. */
function linearExact(x: number, c: number, w: number): number {
  if (x <= c - w / 2) return 0;
  if (x > c + w / 2) return 255;
  return ((x - c) / w + 0.5) * 255;
}

/** PS3.3 C.11.2.1.1: values beside the table take its first or last entry. */
function lookUp(lut: { first: number; bits: number; data: ArrayLike<number> }, x: number): number {
  const index = Math.min(Math.max(x - lut.first, 0), lut.data.length - 1);
  return ((lut.data[index] ?? 0) * 255) / (2 ** lut.bits - 1);
}

/** Neither window nor table given: the image's own least value is black, its greatest white. */
function fullRange({ min, max }: Range, x: number): number {
  return max > min ? ((x - min) / (max - min)) * 255 : 0;
}

/** Rounds half up and clamps, as the Rust side does (not half to even). */
function toByte(y: number): number {
  return Math.min(Math.max(Math.floor(y + 0.5), 0), 255);
}

/**
 * The grey of every sample value that the image can hold: index by sample, 0 to 255.
 * Built anew at each change of window; only the image's own range is computed, the rest stays 0.
 */
export function buildTable(recipe: Recipe): Uint8Array<ArrayBuffer> {
  const table = new Uint8Array(SAMPLES);
  const from = Math.max(recipe.range.min - recipe.offset, 0);
  const to = Math.min(recipe.range.max - recipe.offset, SAMPLES - 1);
  for (let sample = from; sample <= to; sample++) {
    const grey = toByte(shade(recipe.voi, recipe.range, sample + recipe.offset));
    table[sample] = recipe.invert ? 255 - grey : grey;
  }
  return table;
}

/** The grey of every sample, one byte a pixel. */
export function develop(samples: Uint16Array, table: Uint8Array, greys: Uint8Array): void {
  for (let i = 0; i < samples.length; i++) greys[i] = table[samples[i] ?? 0] ?? 0;
}
