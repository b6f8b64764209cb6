// The work list: what came in, in the order the gateway sorts it (unreviewed positives first), kept fresh.
import { useEffect } from 'preact/hooks';
import type { JSX } from 'preact';
import { useShortcuts } from '../keyboard';
import { askedEvery, reach, useFresh } from '../live';
import { go } from '../router';
import { studyPath } from '../routes';
import { takeFromList } from '../sequence';
import { Notice } from '../shell/notice';
import * as list from '../work_list';
import { EmptyList } from './work_list/empty';
import { Filters } from './work_list/filters';
import { Ordering, turn } from './work_list/ordering';
import { SavedFilters } from './work_list/saved';
import { ResultTable } from './work_list/table';
import { followTurnaround } from './work_list/turnaround';

/** Opens a study and remembers the order that it was opened in. */
function open(id: string | null): void {
  if (id === null) return;
  takeFromList();
  list.selected.value = id;
  go(studyPath(id));
}

export function WorkListPage(): JSX.Element {
  const { filter } = list;
  useEffect(() => void list.refresh(), [filter.value]);
  useFresh(['result', 'image', 'verdict'], () => void list.refresh(true));
  useEffect(followTurnaround, []);
  useShortcuts([
    { key: 'j', does: 'Next line', run: () => list.move(1) },
    { key: 'k', does: 'Previous line', run: () => list.move(-1) },
    { key: 'Enter', does: 'Open the line', run: () => open(list.selected.peek()) },
    { key: 'o', does: 'Open the line', run: () => open(list.selected.peek()) },
    { key: 's', does: 'To the order', run: () => document.getElementById('sort')?.focus() },
    { key: 'r', does: 'The other way round', run: turn },
    { key: 'f', does: 'To the kept filters', run: () => document.getElementById('saved')?.focus() },
  ]);
  const lines = list.items.value;
  return (
    <div class="page list-page">
      <div class="list-head">
        <h1>Work list</h1>
        <Filters />
        <Ordering />
        <SavedFilters />
        <Freshness />
      </div>
      {list.trouble.value !== null && <Stale />}
      {lines === null && list.trouble.value === null && <p class="quiet pad">Loading the list…</p>}
      {lines?.length === 0 && <EmptyList />}
      {lines !== null && lines.length > 0 && <ResultTable lines={lines} open={open} />}
    </div>
  );
}

/** How many lines there are, and how old what is shown is. */
function Freshness(): JSX.Element {
  const [at, shown] = [list.refreshedAt.value, list.items.value?.length ?? 0];
  const count = list.total.value;
  return (
    <p class="freshness quiet">
      <span data-testid="count">
        {list.items.value === null ? '' : `${count}${list.totalIsExact.value ? '' : '+'} ${count === 1 ? 'result' : 'results'}`}
        {shown < count || !list.totalIsExact.value ? `, ${shown} loaded` : ''}
      </span>
      <span aria-live="polite">{list.arrived.value > 0 ? ` · ${list.arrived.value} new since you opened this list` : ''}</span>
      {at !== null && <span> · updated {at.toLocaleTimeString(undefined, { hourCycle: 'h23' })}</span>}
      {at !== null && <span data-testid="reach">{reach.value === 'whole' ? ', at each change' : `, every ${askedEvery()} s`}</span>}
    </p>
  );
}

function Stale(): JSX.Element {
  const at = list.refreshedAt.value;
  return (
    <Notice kind="error">
      <strong>This list is not up to date.</strong> {list.trouble.value}{' '}
      {at === null ? 'Nothing has been loaded yet.' : `What you see was loaded at ${at.toLocaleTimeString(undefined, { hourCycle: 'h23' })}.`} Trying again every {askedEvery()} s.
    </Notice>
  );
}
