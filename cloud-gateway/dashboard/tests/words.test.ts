// The sentences that a reader trusts: numbers must never be rounded into another statement.
import { describe, expect, test } from 'vitest';
import { calibrationSentences, coefficientWords, duration, findingTitle, ofHundred, patientWords, percent, percentThreshold, readingSentences, reasonWords, sentence, succession, transformWords, turnWords } from '../src/words';

const POINT = { name: 'default', threshold: 0.52, sensitivity: 0.962, specificity: 0.918, measured_on: '624 test images.' };

describe('an image with two results', () => {
  test('each says which of them counts, and leads to the other', () => {
    expect(succession({ replaces: null, replaced_by: null })).toBeNull();
    expect(succession({ replaces: 'a', replaced_by: null })).toMatchObject({ counts: true, other: 'a' });
    const replaced = succession({ replaces: null, replaced_by: 'b' });
    expect(replaced).toMatchObject({ counts: false, other: 'b' });
    expect(replaced?.words).toContain('no longer counts');
  });

  test('one that replaced another and was replaced itself does not count', () => {
    expect(succession({ replaces: 'a', replaced_by: 'c' })).toMatchObject({ counts: false, other: 'c' });
  });
});

describe('percent', () => {
  test.each([
    [0.87, 0.52, '87 %'],
    [0.874, 0.52, '87 %'],
    [0.001, 0.52, '< 1 %'],
    [0, 0.52, '0 %'],
    [0.9961, 0.52, '> 99 %'],
    [1, 0.52, '100 %'],
    [0.517, 0.52, '51.7 %'],
    [0.5199, 0.52, '51.99 %'],
    [0.52, 0.52, '52 %'],
    [0.521, 0.52, '52 %'],
    [0.5231, 0.5236, '52 %'],
    [0.424, 0.4237, '42.4 %'],
    [0.8755, 0.4237, '88 %'],
    [0.0155, 0.016, '1.55 %'],
    [0.004, 0.003, '0.4 %'],
    [0.004, 0.006, '0.4 %'],
  ])('%f against %f reads %s', (p, threshold, words) => expect(percent(p, threshold)).toBe(words));

  test('the rounded number lies on the same side of the threshold as the number, always', () => {
    for (let i = 1; i < 1000; i++) {
      for (const threshold of [0.5, 0.52, 0.4237]) {
        const shown = Number(/[\d.]+/.exec(percent(i / 1000, threshold))?.[0]) / 100;
        if (i / 1000 >= 0.005 && i / 1000 < 0.995) expect(shown >= Number(threshold.toFixed(4)) - 1e-12).toBe(i / 1000 >= threshold);
      }
    }
  });
});

test('a positive reading says what the point missed in films without pneumonia', () => {
  expect(readingSentences(0.87, POINT)).toEqual([
    'The model gives 87 % for pneumonia.',
    'At the operating point “default” (≥ 52 %), this is called positive.',
    'When it was measured, that point found 96 of 100 pneumonias and called 92 of 100 films without pneumonia negative (624 test images).',
    'So 8 of 100 films without pneumonia were called positive there: this may be one of them.',
  ]);
});

test('a negative reading says how many pneumonias the point missed', () => {
  const words = readingSentences(0.1, POINT);
  expect(words[1]).toContain('called negative');
  expect(words[3]).toBe('So 4 of 100 pneumonias were called negative there: this may be one of them.');
});

test('exactly at the threshold is positive', () => {
  expect(readingSentences(0.52, POINT)[1]).toContain('called positive');
});

test('shares are never rounded to all or none', () => {
  expect([ofHundred(0.962), ofHundred(0.997), ofHundred(0.003), ofHundred(1), ofHundred(0)]).toEqual(['96 of 100', '997 of 1,000', '3 of 1,000', '100 of 100', '0 of 100']);
});

test('findings have titles', () => {
  expect(findingTitle({ outcome: 'read', finding: 'positive' })).toBe('Pneumonia suspected');
  expect(findingTitle({ outcome: 'read', finding: 'negative' })).toBe('No pneumonia seen');
  expect(findingTitle({ outcome: 'abstained', finding: null })).toBe('Not assessed');
  expect(findingTitle({ outcome: 'unreadable', finding: null })).toBe('Unreadable');
});

test('reasons become sentences', () => {
  expect(sentence('the body part is HIP ')).toBe('The body part is HIP.');
  expect(reasonWords(null)).toBe('The device gave no reason.');
});

test('the transform is named', () => {
  expect(transformWords({ kind: 'sigmoid', center: 2000.25, width: 600 })).toBe('sigmoid window, centre 2000.3, width 600');
  expect(transformWords({ kind: 'lut' })).toBe('VOI look-up table');
  expect(transformWords({ kind: 'full_range', center: null, width: null })).toBe('full range of the image');
});

test('what is not known of a patient is left out', () => {
  expect(patientWords({ view: 'PA', age_band: null, sex: 'F' })).toBe('PA · female');
  expect(patientWords({ view: null, age_band: '1-5', sex: null })).toBe('1–5 years');
  expect(patientWords({ view: null, age_band: 'under 1', sex: null })).toBe('under 1 year');
  expect(patientWords({ view: null, age_band: null, sex: null })).toBe('not stated');
});

test('thresholds keep their digits, durations their unit', () => {
  expect(percentThreshold(0.4237)).toBe('42.37 %');
  expect([duration(0), duration(4.72), duration(87.4), duration(189.4), duration(1234), duration(65_000)]).toEqual(['0 ms', '4.7 ms', '87 ms', '189 ms', '1.2 s', '1.1 min']);
});

test('calibration is told with the number at hand', () => {
  expect(calibrationSentences(0.874)[0]).toContain('given about 87 %');
});

describe('second readings', () => {
  test('whoever has the study open is told whose turn it is', () => {
    expect(turnWords(null, false, true)).toBeNull();
    expect(turnWords('awaiting', true, false)).toContain('You are the second reader');
    expect(turnWords('awaiting', false, false)).toContain('awaits a second reader');
    expect([turnWords('discordant', false, true), turnWords('discordant', false, false)]).toEqual([expect.stringContaining('your verdict decides'), expect.stringContaining('A lead reviewer')]);
  });

  test('a coefficient comes with its interval', () => {
    expect(coefficientWords({ value: 0.4, low: 0.151, high: 0.649, films: 50 })).toBe('0.40 (0.15 to 0.65)');
    expect(coefficientWords({ value: 0, low: 0, high: 0, films: 1 })).toBe('too few films to say: 1 of at least 32');
    expect(coefficientWords(null)).toContain('not defined');
  });
});
