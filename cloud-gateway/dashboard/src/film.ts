// One study's image as the viewer needs it: samples, grey-scale recipe, presets and the evidence layer, fetched once.
import * as api from './api';
import { rangeOf, type Range, type Voi } from './grayscale';
import type { Grid } from './saliency';
import { presetsFor, type Preset } from './window';

/** All of it in memory; nothing below asks the gateway again. */
export interface Film {
  rows: number;
  columns: number;
  samples: Uint16Array;
  offset: number;
  invert: boolean;
  range: Range;
  presets: Preset[];
  delivered: Voi;
  evidence: Grid | null;
}

export async function loadFilm(result: api.ResultDetail): Promise<Film | null> {
  const { image } = result;
  if (image === null) return null;
  const [samples, lut, values] = await Promise.all([
    api.getSamples(result.id),
    image.voi.kind === 'lut' ? api.getVoiLut(result.id) : null,
    result.saliency === null ? null : api.getSaliency(result.id),
  ]);
  if (samples.length !== image.rows * image.columns) {
    throw new Error(`The image is incomplete: ${samples.length} samples came for ${image.rows} × ${image.columns}. Reload the page; if it stays so, the stored object is damaged.`);
  }
  const delivered = voiOf(image.voi, lut);
  return {
    rows: image.rows,
    columns: image.columns,
    samples,
    offset: image.offset,
    invert: image.invert,
    range: rangeOf(samples, image.offset),
    presets: presetsFor(samples, image.offset, image.invert, delivered),
    delivered,
    evidence: gridOf(result.saliency, values),
  };
}

/** The API's transform; one whose numbers are missing falls back to the full range, as an image without one does. */
export function voiOf(header: api.VoiHeader, lut: ArrayLike<number> | null): Voi {
  const { kind, center, width } = header;
  if (kind === 'lut') {
    return lut === null || lut.length === 0
      ? { kind: 'full_range' }
      : { kind, first: header.lut_first ?? 0, bits: header.lut_bits ?? 16, data: lut };
  }
  if (kind === 'full_range' || typeof center !== 'number' || typeof width !== 'number') return { kind: 'full_range' };
  return { kind, center, width };
}

/** A map whose size is not what its header says is not drawn at all. */
function gridOf(size: { rows: number; columns: number } | null, values: Uint8Array | null): Grid | null {
  return size !== null && values?.length === size.rows * size.columns ? { ...size, values } : null;
}
