// From the API's words for a VOI transform to one that can be computed with. Pure.
import type { VoiHeader } from './api';
import type { Voi } from './grayscale';

/** The API's transform; one whose numbers are missing falls back to the full range, as an image without one does. */
export function voiOf(header: VoiHeader, lut: ArrayLike<number> | null): Voi {
  const { kind, center, width } = header;
  if (kind === 'lut') {
    return lut === null || lut.length === 0
      ? { kind: 'full_range' }
      : { kind, first: header.lut_first ?? 0, bits: header.lut_bits ?? 16, data: lut };
  }
  if (kind === 'full_range' || typeof center !== 'number' || typeof width !== 'number') return { kind: 'full_range' };
  return { kind, center, width };
}
