// In which order the work list stands.
import type { JSX } from 'preact';
import type { Sort } from '../../api';
import { listPath } from '../../filter';
import { go } from '../../router';
import { filter } from '../../work_list';

const SORTS: [Sort, string][] = [
  ['priority', 'Priority: suspected and unreviewed first'],
  ['received', 'Waiting: received first'],
  ['probability', 'Probability: highest first'],
  ['age', 'Age: oldest patient first'],
  ['site', 'Site'],
  ['model', 'Model'],
];

/** The same order from its other end. */
export function turn(): void {
  const now = filter.peek();
  go(listPath({ ...now, reverse: now.reverse === true ? null : true }), true);
}

export function Ordering(): JSX.Element {
  const now = filter.value;
  const choose = (value: string): void => {
    const sort = SORTS.find(([name]) => name === value)?.[0] ?? 'priority';
    go(listPath({ ...now, sort: sort === 'priority' ? null : sort, reverse: null }), true);
  };
  return (
    <div class="ordering">
      <label for="sort">Order</label>
      <select id="sort" value={now.sort ?? 'priority'} onChange={(event) => choose(event.currentTarget.value)}>
        {SORTS.map(([sort, words]) => (
          <option key={sort} value={sort}>
            {words}
          </option>
        ))}
      </select>
      <button type="button" aria-pressed={now.reverse === true} onClick={turn} title="The other way round (r)">
        <span aria-hidden="true">⇅</span>
        <span class="hidden">The other way round</span>
      </button>
    </div>
  );
}
