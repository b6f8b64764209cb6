// Addresses, filters and the order of studies.
import { expect, test } from 'vitest';
import type { ResultFilter } from '../src/api';
import { filterOf, leavesOut, listPath, NO_FILTER } from '../src/filter';
import { voiOf } from '../src/voi';
import { place } from '../src/place';
import { parse, studyPath } from '../src/routes';
import { ago, utc, waited } from '../src/time';

test('paths lead to pages, all others nowhere', () => {
  expect(parse('/')).toEqual({ page: 'list' });
  expect(parse('/results/a%2Fb')).toEqual({ page: 'study', id: 'a/b' });
  expect(parse(studyPath('ü 1'))).toEqual({ page: 'study', id: 'ü 1' });
  expect(parse('/audit/')).toEqual({ page: 'audit' });
  expect(parse('/refused')).toEqual({ page: 'refused' });
  for (const path of ['/results', '/results/1/2', '/audit/1', '/nothing', '/results/%']) expect(parse(path)).toEqual({ page: 'missing' });
});

test('a filter survives its address', () => {
  const filter: ResultFilter = { finding: 'none', reviewed: false, verdict: 'uncertain', device: 'room 1', site: 'st-mary', model: 'cxr@1.0', second_reading: 'awaiting', sort: 'age', reverse: true };
  expect(filterOf(new URL(listPath(filter), 'http://x').searchParams)).toEqual(filter);
  expect(listPath(NO_FILTER)).toBe('/');
  expect(filterOf(new URLSearchParams('finding=odd&reviewed=odd&verdict=odd&sort=odd&reverse=odd'))).toEqual(NO_FILTER);
  // The usual order is no part of an address, and no order leaves anything out.
  expect(listPath(filterOf(new URLSearchParams('sort=priority')))).toBe('/');
  expect([leavesOut({ ...NO_FILTER, sort: 'age', reverse: true }), leavesOut({ ...NO_FILTER, site: 'a' })]).toEqual([false, true]);
});

test('next and previous hold still at the ends', () => {
  expect(place(['a', 'b', 'c'], 'b')).toEqual({ previous: 'a', next: 'c', number: 2, count: 3, more: false });
  expect(place(['a', 'b'], 'b').next).toBeNull();
  expect(place(['a', 'b'], 'x')).toEqual({ previous: null, next: null, number: null, count: 2, more: false });
});

test('a transform that can’t be computed with shows the full range', () => {
  expect(voiOf({ kind: 'linear', center: 40, width: 400 }, null)).toEqual({ kind: 'linear', center: 40, width: 400 });
  expect(voiOf({ kind: 'linear', center: null }, null)).toEqual({ kind: 'full_range' });
  expect(voiOf({ kind: 'lut', lut_first: 3, lut_bits: 12 }, Uint16Array.of(1, 2))).toEqual({ kind: 'lut', first: 3, bits: 12, data: Uint16Array.of(1, 2) });
});

test('times in UTC and in words', () => {
  expect(utc('2026-11-21T10:42:07.123Z')).toBe('2026-11-21 10:42:07.123 UTC');
  const now = new Date('2026-11-21T12:00:00Z');
  expect(['2026-11-21T11:59:58Z', '2026-11-21T11:48:00Z', '2026-11-21T09:00:00Z', '2026-11-17T12:00:00Z'].map((at) => ago(at, now))).toEqual(['just now', '12 min ago', '3 h ago', '4 days ago']);
});

test.each([
  [59_999, 'under 1 min'],
  [60_000, '1 min'],
  [3_600_000, '1 h'],
  [11_100_000, '3 h 5 min'],
  [172_799_999, '47 h 59 min'],
  [172_800_000, '2 days'],
  [187_200_000, '2 days 4 h'],
])('%i ms is %s', (ms, words) => {
  expect(waited(ms)).toBe(words);
});
