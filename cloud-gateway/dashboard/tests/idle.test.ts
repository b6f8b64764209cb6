// When a screen counts as left.
import { expect, test } from 'vitest';
import { isIdle } from '../src/idle';

test.each([
  [0, 1_799_999, false],
  [0, 1_800_000, true],
  [1_000, 1_800_999, false],
  // The clock was set back: nobody is signed out for it.
  [5_000_000, 0, false],
])('used at %i, now %i: %s', (usedAt, now, idle) => {
  expect(isIdle(usedAt, now, 1_800)).toBe(idle);
});
