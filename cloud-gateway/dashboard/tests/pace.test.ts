// What many calls come to.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { later } from '../src/pace';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('the first call runs at once, a burst after it once more, and then nothing', () => {
  const run = vi.fn();
  const soon = later(run, 3000);
  soon.call();
  expect(run).toHaveBeenCalledTimes(1);
  for (let n = 0; n < 100; n++) soon.call();
  vi.advanceTimersByTime(2999);
  expect(run).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(1);
  expect(run).toHaveBeenCalledTimes(2);
  vi.advanceTimersByTime(60_000);
  expect(run).toHaveBeenCalledTimes(2);
});

test('calls without end run once in each gap', () => {
  const run = vi.fn();
  const soon = later(run, 3000);
  for (let ms = 0; ms < 30_000; ms += 100) {
    soon.call();
    vi.advanceTimersByTime(100);
  }
  expect(run.mock.calls.length).toBeGreaterThanOrEqual(10);
  expect(run.mock.calls.length).toBeLessThanOrEqual(11);
});

test('what is given up does not run any more, and can be called again', () => {
  const run = vi.fn();
  const soon = later(run, 3000);
  soon.call();
  soon.call();
  soon.cancel();
  vi.advanceTimersByTime(10_000);
  expect(run).toHaveBeenCalledTimes(1);
  soon.call();
  expect(run).toHaveBeenCalledTimes(2);
});
