// What the gateway did not store, and what becomes of it: the page of who looks after devices. Nothing of a patient is in it.
import { useSignal, type Signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { JSX } from 'preact';
import { listDeadLetters, type DeadLetter } from '../api';
import { Notice } from '../shell/notice';
import { When } from '../shell/when';
import { fateWords } from '../words';

const PAGE = 50;

export function RefusedPage(): JSX.Element {
  const items = useSignal<readonly DeadLetter[] | null>(null);
  const cursor = useSignal<string | null>(null);
  const trouble = useSignal<string | null>(null);
  const load = async (more: boolean): Promise<void> => {
    try {
      const page = await listDeadLetters(PAGE, more ? cursor.peek() : null);
      items.value = more ? [...(items.peek() ?? []), ...page.items] : page.items;
      [cursor.value, trouble.value] = [page.next_cursor, null];
    } catch (error) {
      trouble.value = error instanceof Error ? error.message : 'The list could not be loaded.';
    }
  };
  useEffect(() => void load(false), []);
  return (
    <div class="page">
      <div class="list-head">
        <h1>Refused messages</h1>
        <p class="quiet">What devices sent and this gateway did not store, and whom it did not let in. Each reason is one line, however often it came.</p>
        <button type="button" onClick={() => void load(false)}>
          Refresh
        </button>
      </div>
      {trouble.value !== null && <Notice kind="error">{trouble.value}</Notice>}
      <Letters items={items} cursor={cursor} more={() => void load(true)} />
    </div>
  );
}

function Letters({ items, cursor, more }: { items: Signal<readonly DeadLetter[] | null>; cursor: Signal<string | null>; more: () => void }): JSX.Element | null {
  if (items.value === null) return null;
  if (items.value.length === 0) return <p class="quiet pad">Nothing was refused.</p>;
  return (
    <div class="scroller">
      <table class="results refused">
        <thead>
          <tr>
            <th scope="col">Last time</th>
            <th scope="col">Device</th>
            <th scope="col">Site</th>
            <th scope="col">Why, and what to do</th>
            <th scope="col">Times</th>
            <th scope="col">What becomes of it</th>
          </tr>
        </thead>
        <tbody>
          {items.value.map((letter) => (
            <Letter key={letter.id} letter={letter} />
          ))}
        </tbody>
      </table>
      {cursor.value !== null && (
        <p class="more">
          <button type="button" onClick={more}>
            Load more
          </button>
        </p>
      )}
    </div>
  );
}

/** The gateway's words begin in the middle of its own sentences. */
const sentence = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);

function Letter({ letter }: { letter: DeadLetter }): JSX.Element {
  return (
    <tr>
      <td>
        <When iso={letter.last_at} full />
      </td>
      <td>{letter.device ?? <span class="quiet">not known</span>}</td>
      <td>{letter.site ?? <span class="quiet">not known</span>}</td>
      <td>
        {sentence(letter.words)} <code class="quiet">{letter.reason}</code>
      </td>
      <td>
        {letter.times}
        {letter.times > 1 && (
          <span class="quiet">
            {' '}
            since <When iso={letter.first_at} />
          </span>
        )}
      </td>
      <td>{fateWords(letter.fate)}</td>
    </tr>
  );
}
