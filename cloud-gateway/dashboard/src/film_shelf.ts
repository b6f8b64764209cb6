// Samples and evidence of the studies that come next, loaded ahead. A study on the shelf has not been looked at: what
// makes it shown, and written into the audit log, is asking for its result, which the study page does when it is opened.
import * as api from './api';

/** A study that may be opened next. */
export interface Ahead {
  id: string;
  image: boolean;
  evidence: boolean;
}

/** What is loaded ahead of one study. */
export interface Parts {
  samples: Promise<Uint16Array>;
  saliency: Promise<Uint8Array> | null;
}

/** So many studies, of at most 2 MB each: one to be there at the next key, one for a reader who is quicker than the line. */
export const AHEAD = 2;

const shelf = new Map<string, Parts & { stop: AbortController }>();

/** Keeps the first few of these loaded or loading, and nothing else: what is no longer wanted is cancelled. */
export function keep(next: readonly Ahead[]): void {
  const wanted = next.filter(({ image }) => image).slice(0, AHEAD);
  for (const [id, { stop }] of shelf) {
    if (wanted.some((one) => one.id === id)) continue;
    shelf.delete(id);
    stop.abort();
  }
  for (const one of wanted) if (!shelf.has(one.id)) load(one);
}

function load({ id, evidence }: Ahead): void {
  const stop = new AbortController();
  const entry = { samples: api.getSamples(id, stop.signal), saliency: evidence ? api.getSaliency(id, stop.signal) : null, stop };
  shelf.set(id, entry);
  // What failed ahead is asked for again, and explained, when the study is opened.
  const forget = (): void => {
    if (shelf.get(id) === entry) shelf.delete(id);
  };
  entry.samples.catch(forget);
  entry.saliency?.catch(forget);
}

/** Takes a study's parts off the shelf, loaded or still on their way; null if they are not there. */
export function take(id: string): Parts | null {
  const found = shelf.get(id) ?? null;
  shelf.delete(id);
  return found;
}

/** Which studies are on the shelf. */
export function onShelf(): string[] {
  return [...shelf.keys()];
}
