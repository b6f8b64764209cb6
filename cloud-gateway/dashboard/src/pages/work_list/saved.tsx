// The filters that the account keeps: choose one, keep the one that is set, forget one.
import { signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { JSX } from 'preact';
import * as api from '../../api';
import { filterOf, listPath, queryOf } from '../../filter';
import { go } from '../../router';
import { Notice } from '../../shell/notice';
import { filter } from '../../work_list';

/** The gateway's limit, in characters. */
const NAME_MOST = 60;

const kept = signal<readonly api.SavedFilter[]>([]);

export function SavedFilters(): JSX.Element {
  const trouble = useSignal<string | null>(null);
  const naming = useSignal(false);
  const attempt = async (act: () => Promise<unknown>): Promise<void> => {
    try {
      await act();
      kept.value = (await api.listFilters()).items;
      trouble.value = null;
    } catch (error) {
      trouble.value = error instanceof Error ? error.message : 'The gateway did not confirm it.';
    }
  };
  useEffect(() => void attempt(() => Promise.resolve()), []);
  const now = queryOf(filter.value);
  // Kept by this page or by another client, in whatever order of parameters.
  const chosen = kept.value.find(({ query }) => queryOf(filterOf(new URLSearchParams(query))) === now);
  return (
    <div class="saved">
      <label for="saved">Kept filters</label>
      <select id="saved" value={chosen?.id ?? ''} onChange={(event) => open(event.currentTarget.value)}>
        <option value="">{kept.value.length === 0 ? 'none kept' : 'choose'}</option>
        {kept.value.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
      {chosen !== undefined && (
        <button type="button" class="plain" onClick={() => void attempt(() => api.removeFilter(chosen.id))}>
          Forget<span class="hidden"> the filter {chosen.name}</span>
        </button>
      )}
      {chosen === undefined && now !== '' && !naming.value && (
        <button type="button" class="plain" onClick={() => (naming.value = true)}>
          Keep this filter
        </button>
      )}
      {naming.value && <Naming query={now} done={() => (naming.value = false)} keep={(name) => attempt(() => api.saveFilter(name, now))} />}
      {trouble.value !== null && <Notice kind="error">{trouble.value}</Notice>}
    </div>
  );
}

function open(id: string): void {
  const found = kept.peek().find((one) => one.id === id);
  if (found !== undefined) go(listPath(filterOf(new URLSearchParams(found.query))), true);
}

function Naming({ done, keep }: { query: string; done: () => void; keep: (name: string) => Promise<void> }): JSX.Element {
  const name = useSignal('');
  const submit = (event: Event): void => {
    event.preventDefault();
    if (name.value.trim() === '') return;
    void keep(name.value.trim());
    done();
  };
  return (
    <form class="naming" onSubmit={submit} onKeyDown={(event) => event.key === 'Escape' && done()}>
      <label class="hidden" for="filter-name">
        Name of the filter
      </label>
      <input id="filter-name" maxLength={NAME_MOST} placeholder="Name" ref={(input) => input?.focus()} onInput={(event) => (name.value = event.currentTarget.value)} />
      <button type="submit">Keep</button>
    </form>
  );
}
