// The order in which a reader walks from study to study. It is taken from the work list when a study is opened there
// and then holds still: a verdict moves the study's line in the list, but "next" stays what the reader saw below it.
import { signal } from '@preact/signals';
import { listResults } from './api';
import { place, type Place } from './place';
import { filter, items } from './work_list';

const ids = signal<readonly string[]>([]);

/** How far a study opened by its address looks for itself in the list. */
const LOOK = 100;

/** Takes the work list as it stands. */
export function takeFromList(): void {
  ids.value = (items.peek() ?? []).map(({ id }) => id);
}

/** For a study opened by its address: asks for the list once. */
export async function ensure(id: string): Promise<void> {
  if (ids.peek().includes(id)) return;
  try {
    const page = await listResults(filter.peek(), LOOK, null);
    ids.value = page.items.map((item) => item.id);
  } catch {
    // Without the list there is no next or previous; the study itself is not affected.
  }
}

/** Where a study stands in the order. */
export function placeOf(id: string): Place {
  return place(ids.value, id);
}
