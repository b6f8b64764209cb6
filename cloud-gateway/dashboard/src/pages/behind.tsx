// The studies behind one number of the quality page, newest first.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { JSX } from 'preact';
import { listBehind, type ResultSummary } from '../api';
import { narrowedWords } from '../quality/words';
import { query } from '../router';
import { studyPath } from '../routes';
import { Notice } from '../shell/notice';
import { Probability } from '../shell/probability';
import { When } from '../shell/when';
import { findingTitle, patientWords } from '../words';

export function BehindPage(): JSX.Element {
  const lines = useSignal<readonly ResultSummary[] | null>(null);
  const cursor = useSignal<string | null>(null);
  const trouble = useSignal<string | null>(null);
  const search = query.value;
  const load = async (more: boolean): Promise<void> => {
    try {
      const page = await listBehind(search, more ? cursor.peek() : null);
      lines.value = more ? [...(lines.peek() ?? []), ...page.items] : page.items;
      [cursor.value, trouble.value] = [page.next_cursor, null];
    } catch (error) {
      trouble.value = error instanceof Error ? error.message : 'The studies could not be loaded.';
    }
  };
  useEffect(() => void load(false), [search]);
  return (
    <div class="page">
      <div class="list-head">
        <h1>Studies behind a number</h1>
        <p class="quiet">{narrowedWords(search).join(' · ')}</p>
        <a href="/quality">Back to quality</a>
      </div>
      {trouble.value !== null && <Notice kind="error">{trouble.value}</Notice>}
      {lines.value?.length === 0 && <p class="quiet pad">There is no such study any more.</p>}
      {lines.value !== null && lines.value.length > 0 && <Lines lines={lines.value} more={cursor.value === null ? null : () => void load(true)} />}
    </div>
  );
}

function Lines({ lines, more }: { lines: readonly ResultSummary[]; more: (() => void) | null }): JSX.Element {
  return (
    <div class="scroller">
      <table class="results">
        <thead>
          <tr>
            <th scope="col">Finding</th>
            <th scope="col">Probability of pneumonia</th>
            <th scope="col">View · age · sex</th>
            <th scope="col">Site</th>
            <th scope="col">Received</th>
            <th scope="col">Verdict</th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <tr key={line.id}>
              <th scope="row">
                <a href={studyPath(line.id)}>{findingTitle(line)}</a>
              </th>
              <td>{line.probability === null ? '–' : <Probability value={line.probability} threshold={line.threshold} />}</td>
              <td>{patientWords(line)}</td>
              <td>{line.site}</td>
              <td>
                <When iso={line.received_at} full />
              </td>
              <td>{line.verdict ?? <span class="quiet">none</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {more !== null && (
        <p class="more">
          <button type="button" onClick={more}>
            Load more
          </button>
        </p>
      )}
    </div>
  );
}
