// The order in which a reader walks from study to study. It is taken from the work list when a study is opened there
// and then holds still: a verdict moves the study's line in the list, but "next" stays what the reader saw below it.
import { signal } from '@preact/signals';
import { listResults, MAX_LIMIT, type ResultFilter, type ResultSummary } from './api';
import { AHEAD, type Ahead } from './film_shelf';
import { place, type Place } from './place';
import { cursor, filter, items } from './work_list';

const lines = signal<readonly Ahead[]>([]);
/** Where the order goes on behind its end, and under which filter; null if it doesn't. */
let rest: { filter: ResultFilter; cursor: string } | null = null;

/** How many ids are asked for at a time: a day's worth, so that most studies find their place. */
const PAGE = MAX_LIMIT;

/** Takes the work list as it stands. */
export function takeFromList(): void {
  lines.value = (items.peek() ?? []).map(lineOf);
  rest = restAfter(cursor.peek());
}

/** Makes the order reach past `id`: asks for the list if a study was opened by its address, for more at the order's end. */
export async function ensure(id: string): Promise<void> {
  const order = lines.peek();
  const known = order.some((line) => line.id === id);
  if (known && (rest === null || order.at(-1)?.id !== id)) return;
  try {
    const under = known && rest !== null ? rest.filter : filter.peek();
    const page = await listResults(under, PAGE, known && rest !== null ? rest.cursor : null);
    const more = page.items.map(lineOf);
    lines.value = known ? [...order, ...more.filter((line) => !order.some((one) => one.id === line.id))] : more;
    rest = restAfter(page.next_cursor, under);
  } catch {
    // Without the list there is no next or previous; the study itself is not affected.
  }
}

function restAfter(at: string | null, under: ResultFilter = filter.peek()): typeof rest {
  return at === null ? null : { filter: under, cursor: at };
}

/** Where a study stands in the order. */
export function placeOf(id: string): Place {
  return place(lines.value.map((line) => line.id), id, rest !== null);
}

/** The studies after one, as many as may be loaded ahead. */
export function ahead(id: string): readonly Ahead[] {
  const at = lines.value.findIndex((line) => line.id === id);
  return at < 0 ? [] : lines.value.slice(at + 1, at + 1 + AHEAD);
}

function lineOf({ id, has_image, outcome }: ResultSummary): Ahead {
  return { id, image: has_image, evidence: outcome === 'read' };
}
