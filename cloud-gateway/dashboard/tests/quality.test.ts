// The quality page's numbers in words, and its addresses.
import { describe, expect, it } from 'vitest';
import { narrowedWords, numberWords, pWords, qualityPath, shareWords, studiesPath, timeWords, wantedOf } from '../src/quality/words';

describe('a number', () => {
  it('is never without its interval and its cases', () => {
    expect(shareWords({ hits: 50, n: 70, value: 50 / 70, interval: { low: 0.5995, high: 0.8068 } })).toBe('71.4 % (95 %: 60.0 to 80.7 %), 50 of 70');
    expect(shareWords({ hits: 0, n: 0, value: null, interval: null })).toBe('no cases');
    expect(numberWords(0.9123, { low: 0.871, high: 0.9419 })).toBe('0.912 (95 %: 0.871 to 0.942)');
    expect(numberWords(1, null)).toBe('1.000');
    expect(timeWords({ value: 252, interval: { low: 234, high: 300 }, n: 150 })).toBe('4.2 min (95 %: 3.9 min to 5.0 min), 150 studies');
    expect([pWords(0.0004), pWords(0.0412)]).toEqual(['p < 0.001', 'p = 0.041']);
  });
});

describe('an address', () => {
  it('is read back as what it was made of', () => {
    for (const wanted of [
      { days: 28, device: null, site: null, model: null },
      { days: 365, device: 'radiology-1', site: 'St. Mary & Son', model: 'pneumonia-cxr@1.0.0' },
    ]) {
      expect(wantedOf(new URL(qualityPath(wanted), 'http://x').searchParams)).toEqual(wanted);
    }
    expect(wantedOf(new URLSearchParams('days=12')).days).toBe(28);
  });

  it('of the studies is the gateway’s own query', () => {
    expect(studiesPath('/api/v1/quality/studies?positive=true&verdict=agree')).toBe('/quality/studies?positive=true&verdict=agree');
    expect(narrowedWords(new URLSearchParams('site=St+Mary&positive=false&judged=true&permille_from=100&permille_to=200&limit=5'))).toEqual([
      'site St Mary',
      'called negative',
      'with a verdict of agree or disagree',
      'probability 10 to 20 %',
    ]);
  });
});
