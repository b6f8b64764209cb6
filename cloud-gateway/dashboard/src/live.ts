// What changes at the gateway, told as it happens, so that pages need not ask all the time. Where nobody tells, or not of
// everything, they ask from time to time. No drawing here, and nothing clinical: only which thing changed.
import { effect, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import * as api from './api';
import { later, type Later } from './pace';
import { leaving, state } from './session';

/** How much is told: all of it, not what other replicas of the gateway do, or nothing. */
export const reach = signal<'whole' | 'partial' | 'none'>('none');

/** How often a page asks by itself: for what might have been missed, and where it is not told. */
const ASK_MS = { whole: 120_000, partial: 10_000, none: 10_000 };
/** A burst of news is one question each so often: what the list asked before anything was told to it. */
const GAP_MS = 3000;
/** How long the gateway is left alone after it has ended a stream: its restart takes about as long. */
const RETURN_MS = 2000;
/** And after it has refused one. */
const REFUSED_MS = 30_000;

type Listener = (news: api.Change | 'anything') => void;
const listeners = new Set<Listener>();
const visible = signal(!document.hidden);
document.addEventListener('visibilitychange', () => (visible.value = !document.hidden));

/** Bumped to open the stream once more. */
const attempt = signal(0);

effect(() => {
  // A hidden tab needs no news, and browsers grant few connections to all tabs together.
  if (attempt.value < 0 || state.value.is !== 'in' || leaving.value || !visible.value) return;
  const source = api.events();
  let again: ReturnType<typeof setTimeout> | undefined;
  const close = (): void => {
    source.close();
    reach.value = 'none';
  };
  /** Spread out, so that not all pages come back to a gateway at the same moment. */
  const reopen = (after: number): void => {
    close();
    again = setTimeout(() => attempt.value++, after * (1 + Math.random()));
  };
  source.addEventListener('reach', (event: MessageEvent<string>) => {
    reach.value = (JSON.parse(event.data) as { whole: boolean }).whole ? 'whole' : 'partial';
  });
  source.addEventListener('change', (event: MessageEvent<string>) => tell(JSON.parse(event.data) as api.Change));
  source.addEventListener('resync', () => tell('anything'));
  source.addEventListener('end', () => {
    reopen(RETURN_MS);
    // Whether it was the session that ended is asked: the answer leads to the sign-in page by itself.
    void api.currentSession(true).catch(() => undefined);
  });
  source.addEventListener('error', () => {
    reach.value = 'none';
    // Otherwise the browser comes back by itself.
    if (source.readyState === EventSource.CLOSED) reopen(REFUSED_MS);
  });
  return () => {
    clearTimeout(again);
    close();
  };
});

function tell(news: api.Change | 'anything'): void {
  for (const listener of listeners) listener(news);
}

/** Tells a page of changes, while it is there. */
export function useNews(listener: (change: api.Change) => void, of: readonly unknown[]): void {
  useEffect(() => {
    const only: Listener = (news) => {
      if (news !== 'anything') listener(news);
    };
    listeners.add(only);
    return () => {
      listeners.delete(only);
    };
  }, of);
}

/** Keeps what a page shows fresh: `load` runs after changes of these kinds, after a time without any, and when the tab is
 *  looked at again. */
export function useFresh(kinds: readonly api.Change['kind'][], load: () => void): void {
  useEffect(() => {
    const soon: Later = later(load, GAP_MS);
    const heard: Listener = (news) => {
      if (news === 'anything' || kinds.includes(news.kind)) soon.call();
    };
    listeners.add(heard);
    const stopAsking = effect(() => {
      if (!visible.value) return;
      const timer = setInterval(load, ASK_MS[reach.value]);
      return () => clearInterval(timer);
    });
    let first = true;
    const stopLooking = effect(() => {
      if (visible.value && !first) load();
      first = false;
    });
    return () => {
      listeners.delete(heard);
      soon.cancel();
      stopAsking();
      stopLooking();
    };
  }, []);
}

/** How often a page asks now, in whole seconds. */
export function askedEvery(): number {
  return ASK_MS[reach.value] / 1000;
}
