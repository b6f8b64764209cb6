// Everything beside the film, in the order a reader needs it: reservations, the reading, the verdict, the record.
import type { JSX } from 'preact';
import type { ResultDetail } from '../api';
import { studyPath } from '../routes';
import type { Place } from '../place';
import { Notice } from '../shell/notice';
import { listPath } from '../filter';
import { filter } from '../work_list';
import { sentence, succession } from '../words';
import { Facts } from './facts';
import { Reading } from './reading';
import { VerdictPanel, type VerdictProps } from './verdict';

interface Props extends VerdictProps {
  place: Place;
}

export function Panel({ place, ...verdict }: Props): JSX.Element {
  const { result } = verdict;
  return (
    <aside class="panel" aria-label="Reading">
      <Walk place={place} />
      <Succession result={result} />
      <Reading result={result} caveats={<Caveats result={result} />} />
      <VerdictPanel {...verdict} />
      <Facts result={result} />
    </aside>
  );
}

function Succession({ result }: { result: ResultDetail }): JSX.Element | null {
  const told = succession(result);
  if (told === null) return null;
  return (
    <Notice kind={told.counts ? 'info' : 'warning'}>
      {told.words} <a href={studyPath(told.other)}>{told.link}</a>
    </Notice>
  );
}

function Caveats({ result }: { result: ResultDetail }): JSX.Element | null {
  if (result.caveats.length === 0) return null;
  return (
    <Notice kind="warning">
      <strong>Read this result with care.</strong>
      <ul>
        {result.caveats.map(({ code, words }) => (
          <li key={code} title={code}>
            {sentence(words)}
          </li>
        ))}
      </ul>
    </Notice>
  );
}

function Walk({ place }: { place: Place }): JSX.Element {
  return (
    <nav class="walk" aria-label="Studies">
      <a href={listPath(filter.value)}>← Work list</a>
      <span class="quiet">{place.number === null ? '' : `${place.number} of ${place.count}${place.more ? '+' : ''}`}</span>
      <Step to={place.previous} words="Previous" keyName="k" />
      <Step to={place.next} words="Next" keyName="j" />
    </nav>
  );
}

function Step({ to, words, keyName }: { to: string | null; words: string; keyName: string }): JSX.Element {
  if (to === null) return <span class="step off">{words}</span>;
  return (
    <a class="step" href={studyPath(to)} title={`${words} (${keyName})`}>
      {words}
    </a>
  );
}
