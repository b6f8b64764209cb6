// The studies behind one number of the quality page, newest first.
import type { JSX } from 'preact';
import { listBehind, type ResultSummary } from '../api';
import { narrowedWords } from '../quality/words';
import { query } from '../router';
import { studyPath } from '../routes';
import { Notice } from '../shell/notice';
import { More, usePaged } from '../shell/pages';
import { Probability } from '../shell/probability';
import { When } from '../shell/when';
import { findingTitle, patientWords } from '../words';

export function BehindPage(): JSX.Element {
  const search = query.value;
  const { items, trouble, more } = usePaged((after) => listBehind(search, after), (error) => (error instanceof Error ? error.message : 'The studies could not be loaded.'), [search]);
  return (
    <div class="page">
      <div class="list-head">
        <h1>Studies behind a number</h1>
        <p class="quiet">{narrowedWords(search).join(' · ')}</p>
        <a href="/quality">Back to quality</a>
      </div>
      {trouble.value !== null && <Notice kind="error">{trouble.value}</Notice>}
      {items.value?.length === 0 && <p class="quiet pad">There is no such study any more.</p>}
      {items.value !== null && items.value.length > 0 && <Lines lines={items.value} more={more} />}
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
      <More more={more} />
    </div>
  );
}
