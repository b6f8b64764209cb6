// All verdicts that were given on a study. None is ever removed: one that was taken back says so, and whoever changes her
// mind gives another.
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { withdrawVerdict, type Judgement, type Opinion, type Verdict } from '../api';
import { regionWords } from '../region';
import { Notice } from '../shell/notice';
import { When } from '../shell/when';
import { afterWithdrawal, codes, codeWords, outgoingOf } from '../verdicts';
import { opinionWords } from '../words';
import type { VerdictProps } from './verdict';

export function History({ result, region, changed, reload }: VerdictProps): JSX.Element {
  const trouble = useSignal<string | null>(null);
  const words = opinionWords(result);
  const saving = outgoingOf(result.id);
  // Where two readers differ, neither counts until it is decided.
  const counts = result.second_reading === 'discordant' ? undefined : result.verdicts.find((one) => one.withdrawn_at === null);
  const undo = async (id: string): Promise<void> => {
    trouble.value = null;
    try {
      changed(afterWithdrawal(result, id, new Date().toISOString(), await withdrawVerdict(result.id, id)));
      document.getElementById('note')?.focus();
    } catch (error) {
      trouble.value = error instanceof Error ? error.message : 'The gateway did not confirm it.';
      await reload();
    }
  };
  return (
    <>
      {trouble.value !== null && (
        <Notice kind="error">
          <strong>The verdict was not taken back.</strong> {trouble.value}
        </Notice>
      )}
      {saving?.trouble === null && <Saving judgement={saving.judgement} words={words} />}
      {result.verdicts.length === 0 && saving?.trouble !== null && <p class="quiet">{result.blinded ? 'The first reader’s verdict is hidden from you.' : 'No verdict yet.'}</p>}
      <ol class="history" aria-label="Verdicts given, latest first">
        {result.verdicts.map((one) => (
          <Given key={one.id} verdict={one} counts={one === counts} words={words} show={() => (region.value = one.region)} undo={undo} />
        ))}
      </ol>
      {result.verdicts.length > 0 && <p class="quiet">Nothing is erased; the latest that was not withdrawn counts.</p>}
    </>
  );
}

/** What stands on the page before the gateway has confirmed it. */
function Saving({ judgement, words }: { judgement: Judgement; words: Record<Opinion, string> }): JSX.Element {
  return (
    <p class="saving">
      <strong>{words[judgement.verdict]}</strong> <span class="badge">saving…</span>
    </p>
  );
}

interface GivenProps {
  verdict: Verdict;
  counts: boolean;
  words: Record<Opinion, string>;
  show: () => void;
  undo: (id: string) => Promise<void>;
}

function Given({ verdict: one, counts, words, show, undo }: GivenProps): JSX.Element {
  const [finding, reason] = [one.finding === null ? null : codeWords(codes.value?.findings, one.finding), one.reason === null ? null : codeWords(codes.value?.reasons, one.reason)];
  return (
    <li class={one.verdict} data-counts={counts ? '' : undefined} data-withdrawn={one.withdrawn_at === null ? undefined : ''}>
      <strong>{words[one.verdict]}</strong> {counts && <span class="badge">counts</span>}
      {one.reading !== 'first' && <span class="badge">{one.reading === 'second' ? 'second reading' : 'decides'}</span>}
      {one.withdrawn_at !== null && <span class="badge">withdrawn</span>}
      <br />
      <span class="quiet">
        {one.reviewer}, <When iso={one.given_at} full />
      </span>
      {(finding !== null || reason !== null) && <p>{[finding, reason].filter((part) => part !== null).join(' · ')}</p>}
      {one.note !== null && one.note !== '' && <blockquote>{one.note}</blockquote>}
      {one.region !== null && (
        <p>
          {regionWords(one.region)}{' '}
          <button type="button" class="plain" onClick={show}>
            Show it
          </button>
        </p>
      )}
      {counts && one.can_withdraw && (
        <p>
          <button id="undo" type="button" class="plain" onClick={() => void undo(one.id)}>
            Undo this verdict
          </button>
        </p>
      )}
    </li>
  );
}
