// The grey-scale transform against the reference vectors that the Rust reader is tested by as well.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { buildTable, develop, rangeOf, type Voi } from '../src/grayscale';

interface Case {
  name: string;
  samples: number[];
  offset: number;
  voi: { kind: Voi['kind']; center?: number; width?: number; lut_first?: number; lut_bits?: number; lut?: number[] };
  invert: boolean;
  expect: number[];
}

const file = new URL('../../../reader/tests/vectors/grayscale.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: Case[] };

function voiOf({ kind, center = 0, width = 0, lut_first = 0, lut_bits = 0, lut = [] }: Case['voi']): Voi {
  if (kind === 'lut') return { kind, first: lut_first, bits: lut_bits, data: lut };
  return kind === 'full_range' ? { kind } : { kind, center, width };
}

describe('reference vectors', () => {
  test('cover every kind of transform, both ways round', () => {
    expect(new Set(cases.map(({ voi }) => voi.kind))).toEqual(new Set(['linear', 'linear_exact', 'sigmoid', 'lut', 'full_range']));
    expect(new Set(cases.map(({ invert }) => invert))).toEqual(new Set([true, false]));
  });

  test.each(cases)('$name', ({ samples, offset, voi, invert, expect: wanted }) => {
    const stored = Uint16Array.from(samples);
    const table = buildTable({ voi: voiOf(voi), offset, invert, range: rangeOf(stored, offset) });
    expect(samples.map((sample) => table[sample])).toEqual(wanted);
  });
});

test('each sample becomes the grey that its table says', () => {
  const greys = new Uint8Array(3);
  const table = new Uint8Array(65_536);
  table[7] = 0x80;
  develop(Uint16Array.of(7, 0, 7), table, greys);
  expect([...greys]).toEqual([0x80, 0, 0x80]);
});

test('an image without samples has a range', () => {
  expect(rangeOf(new Uint16Array(), -5)).toEqual({ min: 0, max: 0 });
});
