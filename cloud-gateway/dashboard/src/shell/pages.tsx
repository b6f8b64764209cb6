// A list that comes page by page: what came so far, whether there is more, and why it did not come. What a line looks like is
// its page's; the work list, which is kept fresh while it is read, has its own.
import { useSignal, type Signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { JSX } from 'preact';

interface Page<T> {
  items: readonly T[];
  next_cursor: string | null;
}

export interface Paged<T> {
  /** Null until the first page is there. */
  items: Signal<readonly T[] | null>;
  trouble: Signal<string | null>;
  /** The first page anew. */
  refresh: () => void;
  /** The next page, or null where there is none. */
  more: (() => void) | null;
}

/** Loads the first page at once, and again when what it is `of` changes. */
export function usePaged<T>(page: (after: string | null) => Promise<Page<T>>, explain: (error: unknown) => string, of: readonly unknown[] = []): Paged<T> {
  const items = useSignal<readonly T[] | null>(null);
  const cursor = useSignal<string | null>(null);
  const trouble = useSignal<string | null>(null);
  const load = async (more: boolean): Promise<void> => {
    try {
      const got = await page(more ? cursor.peek() : null);
      items.value = more ? [...(items.peek() ?? []), ...got.items] : got.items;
      [cursor.value, trouble.value] = [got.next_cursor, null];
    } catch (error) {
      trouble.value = explain(error);
    }
  };
  useEffect(() => void load(false), of);
  return { items, trouble, refresh: () => void load(false), more: cursor.value === null ? null : () => void load(true) };
}

export function More({ more }: { more: (() => void) | null }): JSX.Element | null {
  if (more === null) return null;
  return (
    <p class="more">
      <button type="button" onClick={more}>
        Load more
      </button>
    </p>
  );
}
