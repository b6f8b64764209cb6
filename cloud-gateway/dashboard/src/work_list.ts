// The work list's state: the filter, the lines loaded so far, and how it keeps itself fresh without moving under the
// reader's eyes. No drawing here.
import { batch, effect, signal } from '@preact/signals';
import * as api from './api';
import { filterOf, listPath, NO_FILTER } from './filter';
import { query, route } from './router';

/** As many lines are loaded at a time. */
const PAGE = 50;

export const items = signal<readonly api.ResultSummary[] | null>(null);
export const total = signal(0);
/** False where there are more than `total`: the gateway stops counting there. */
export const totalIsExact = signal(true);
export const cursor = signal<string | null>(null);
/** The line that the keyboard is on; by id, so that new lines above don't move it. */
export const selected = signal<string | null>(null);
export const refreshedAt = signal<Date | null>(null);
/** Why the last refresh failed; null when it didn't. */
export const trouble = signal<string | null>(null);
export const loadingMore = signal(false);
/** How many lines came in since the list was first loaded under this filter. */
export const arrived = signal(0);

/** The filter lives in the address, so that back, forward and a bookmark keep it. */
export const filter = signal<api.ResultFilter>(NO_FILTER);
effect(() => {
  // On other pages the list keeps the filter that it was left with.
  if (route.value.page !== 'list') return;
  const next = filterOf(query.value);
  if (listPath(next) !== listPath(filter.peek())) filter.value = next;
});

/** Bumped by each change of filter: an answer to an older question is dropped. */
let question = 0;
let asked = '';
/** The question that a refresh is under way for. */
let refreshing: number | null = null;

/** Loads as many lines as are shown now (at least a page), from the top; the server's order is taken as it comes. */
export async function refresh(unattended = false): Promise<void> {
  const now = filter.peek();
  if (listPath(now) !== asked) startOver(listPath(now));
  // One at a time: over a slow line, questions must not pile up.
  if (refreshing === question) return;
  const mine = question;
  refreshing = mine;
  const wanted = Math.max(items.peek()?.length ?? 0, PAGE);
  try {
    const fresh: api.ResultSummary[] = [];
    let next: string | null = null;
    let last: api.ResultPage;
    do {
      const page: api.ResultPage = await api.listResults(now, Math.min(wanted - fresh.length, api.MAX_LIMIT), next, unattended);
      fresh.push(...page.items);
      next = page.next_cursor;
      last = page;
    } while (next !== null && fresh.length < wanted);
    // More lines were loaded meanwhile: this answer would take them away again. The next refresh has them.
    const outgrown = (items.peek()?.length ?? 0) > wanted;
    if (mine === question && !outgrown) accept(fresh, last);
  } catch (error) {
    if (mine === question) trouble.value = words(error);
  } finally {
    if (refreshing === mine) refreshing = null;
  }
}

function startOver(path: string): void {
  question++;
  asked = path;
  batch(() => {
    items.value = null;
    cursor.value = null;
    selected.value = null;
    arrived.value = 0;
    trouble.value = null;
  });
}

/** Takes lines, and from the page that they end with how many there are and where it goes on. */
function accept(fresh: readonly api.ResultSummary[], { next_cursor: next, total: count, total_is_exact: exact }: api.ResultPage): void {
  const lines = unique(fresh);
  const known = items.peek();
  batch(() => {
    if (known !== null) arrived.value += Math.max(0, count - total.peek());
    if (known === null || JSON.stringify(known) !== JSON.stringify(lines)) items.value = lines;
    [total.value, totalIsExact.value] = [count, exact];
    cursor.value = next;
    refreshedAt.value = new Date();
    trouble.value = null;
  });
}

/** A line that moved between two pages while they were fetched may come twice. */
function unique(lines: readonly api.ResultSummary[]): readonly api.ResultSummary[] {
  return [...new Map(lines.map((line) => [line.id, line])).values()];
}

/** Loads the next page, if there is one. */
export async function loadMore(): Promise<void> {
  const [mine, from] = [question, cursor.peek()];
  if (from === null || loadingMore.peek()) return;
  loadingMore.value = true;
  try {
    const page = await api.listResults(filter.peek(), PAGE, from);
    if (mine === question) accept([...(items.peek() ?? []), ...page.items], page);
  } catch (error) {
    trouble.value = words(error);
  } finally {
    loadingMore.value = false;
  }
}

/** Moves the keyboard's line by `by`; the first or last line is as far as it goes. */
export function move(by: number): void {
  const lines = items.peek() ?? [];
  const at = lines.findIndex(({ id }) => id === selected.peek());
  const to = at < 0 ? 0 : Math.min(Math.max(at + by, 0), lines.length - 1);
  selected.value = lines[to]?.id ?? null;
  if (to === lines.length - 1) void loadMore();
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : 'Something went wrong.';
}
