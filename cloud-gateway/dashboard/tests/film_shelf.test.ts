// What is loaded ahead: bounded, given up when the order changes, and never in the way of a study that is opened.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AHEAD, keep, onShelf, take } from '../src/film_shelf';

interface Asked {
  path: string;
  signal: AbortSignal;
  answer: (response: Response) => void;
}

let asked: Asked[] = [];

beforeEach(() => {
  asked = [];
  vi.stubGlobal('fetch', (path: string, { signal }: { signal: AbortSignal }) =>
    new Promise<Response>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(new DOMException('given up', 'AbortError')));
      asked.push({ path, signal, answer: resolve });
    }),
  );
});

afterEach(() => {
  keep([]);
  vi.unstubAllGlobals();
});

const study = (id: string, more: object = {}): { id: string; image: boolean; evidence: boolean } => ({ id, image: true, evidence: false, ...more });
const paths = (): string[] => asked.map(({ path }) => path);

test('only so many, only those with an image, each once', () => {
  const order = [study('a', { image: false }), study('b', { evidence: true }), study('c'), study('d'), study('e')];
  keep(order);
  keep(order);
  expect(onShelf()).toEqual(['b', 'c'].slice(0, AHEAD));
  expect(paths()).toEqual(['/api/v1/results/b/image', '/api/v1/results/b/saliency', '/api/v1/results/c/image']);
});

test('what falls out of the order is cancelled, the rest goes on', () => {
  keep([study('b'), study('c')]);
  keep([study('c'), study('x')]);
  expect(asked.map(({ path, signal }) => [path.at(-7), signal.aborted])).toEqual([['b', true], ['c', false], ['x', false]]);
  expect(onShelf()).toEqual(['c', 'x']);
});

test('an opened study takes what is on its way, and is no longer cancelled by another order', async () => {
  keep([study('b')]);
  const parts = take('b');
  keep([]);
  expect(asked[0]?.signal.aborted).toBe(false);
  asked[0]?.answer(new Response(Uint8Array.of(1, 0, 2, 1)));
  expect([...((await parts?.samples) ?? [])]).toEqual([1, 258]);
  expect(take('b')).toBeNull();
});

test('what failed ahead is forgotten, so that opening the study asks anew', async () => {
  keep([study('b')]);
  asked[0]?.answer(new Response(null, { status: 503 }));
  await vi.waitFor(() => expect(onShelf()).toEqual([]));
});
