// One study's image as the viewer needs it: samples, grey-scale recipe, presets and the evidence layer, fetched once.
import * as api from './api';
import * as shelf from './film_shelf';
import { rangeOf, type Range, type Voi } from './grayscale';
import type { Grid } from './saliency';
import { voiOf } from './voi';
import { presetsFor, type Preset } from './window';

/** All of it in memory; nothing below asks the gateway again. */
export interface Film {
  /** The id of the result that it belongs to. */
  result: string;
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
  const ahead = shelf.take(result.id);
  const [samples, lut, values] = await Promise.all([
    ahead?.samples ?? api.getSamples(result.id),
    image.voi.kind === 'lut' ? api.getVoiLut(result.id) : null,
    result.saliency === null ? null : (ahead?.saliency ?? api.getSaliency(result.id)),
  ]);
  if (samples.length !== image.rows * image.columns) {
    throw new Error(`The image is incomplete: ${samples.length} samples came for ${image.rows} × ${image.columns}. If it stays so after another try, the stored object is damaged.`);
  }
  const delivered = voiOf(image.voi, lut);
  return {
    result: result.id,
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

/** A map whose size is not what its header says is not drawn at all. */
function gridOf(size: { rows: number; columns: number } | null, values: Uint8Array | null): Grid | null {
  return size !== null && values?.length === size.rows * size.columns ? { ...size, values } : null;
}
