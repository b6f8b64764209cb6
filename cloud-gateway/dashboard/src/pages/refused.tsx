// What the gateway did not store, and what becomes of it: the page of who looks after devices. Nothing of a patient is in it.
import type { JSX } from 'preact';
import { listDeadLetters, type DeadLetter } from '../api';
import { Notice } from '../shell/notice';
import { More, usePaged } from '../shell/pages';
import { When } from '../shell/when';
import { fateWords } from '../words';

const PAGE = 50;

export function RefusedPage(): JSX.Element {
  const { items, trouble, refresh, more } = usePaged((after) => listDeadLetters(PAGE, after), (error) => (error instanceof Error ? error.message : 'The list could not be loaded.'));
  return (
    <div class="page">
      <div class="list-head">
        <h1>Refused messages</h1>
        <p class="quiet">What devices sent and this gateway did not store, and whom it did not let in. Each reason is one line, however often it came.</p>
        <button type="button" onClick={refresh}>
          Refresh
        </button>
      </div>
      {trouble.value !== null && <Notice kind="error">{trouble.value}</Notice>}
      {items.value !== null && <Letters items={items.value} more={more} />}
    </div>
  );
}

function Letters({ items, more }: { items: readonly DeadLetter[]; more: (() => void) | null }): JSX.Element {
  if (items.length === 0) return <p class="quiet pad">Nothing was refused.</p>;
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
          {items.map((letter) => (
            <Letter key={letter.id} letter={letter} />
          ))}
        </tbody>
      </table>
      <More more={more} />
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
