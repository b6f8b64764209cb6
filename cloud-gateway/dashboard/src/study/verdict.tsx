// The reader's verdict, with what she sees, why, a note and the region on the film; and all that were given.
import { useComputed, useSignal, type Signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { JSX } from 'preact';
import { ApiError, askSecondReading, type Code, type Judgement, type Opinion, type ResultDetail, type Session } from '../api';
import { regionWords, type Region } from '../region';
import { roleWords } from '../rights';
import { Notice } from '../shell/notice';
import { state } from '../session';
import { after, codes, give, learnCodes, letGo, outgoingOf } from '../verdicts';
import { opinionWords, turnWords } from '../words';
import { History } from './history';

/** The gateway's limit, in characters. */
const NOTE_MOST = 2000;

const SIGNS: [Opinion, string][] = [
  ['agree', '✓'],
  ['disagree', '✗'],
  ['uncertain', '?'],
  ['unreadable', '⌀'],
];

export interface VerdictProps {
  result: ResultDetail;
  /** What is drawn on the film now. */
  region: Signal<Region | null>;
  changed: (result: ResultDetail) => void;
  /** Loads what came in between. */
  reload: () => Promise<void>;
}

export function VerdictPanel(props: VerdictProps): JSX.Element {
  const session = state.value.is === 'in' ? state.value.session : null;
  useEffect(() => void learnCodes(), [props.result.id]);
  return (
    <section class="verdict-panel" aria-labelledby="verdict-title">
      <h2 id="verdict-title">Verdict</h2>
      <Turn {...props} decides={session?.may.includes('adjudicate') === true} />
      {session?.may.includes('give_verdict') === true ? <>{open(props.result, session) && <Form {...props} />}</> : <p class="quiet">Only reviewers give verdicts; you are signed in as {roleWords(session?.role ?? '')}.</p>}
      <History {...props} />
    </section>
  );
}

/** Whether a verdict of this reviewer's would be taken. */
function open({ second_reading, verdicts }: ResultDetail, { username, may }: Session): boolean {
  const decides = may.includes('adjudicate') && !verdicts.some(({ reviewer }) => reviewer === username);
  return second_reading === 'discordant' ? decides : second_reading !== 'concordant' && second_reading !== 'adjudicated';
}

/** Whose turn it is, and a way to ask for a second reader. */
function Turn({ result, changed, decides }: VerdictProps & { decides: boolean }): JSX.Element {
  const trouble = useSignal<string | null>(null);
  const words = turnWords(result.second_reading, result.blinded, decides);
  const may = state.value.is === 'in' && state.value.session.may.includes('give_verdict');
  const ask = async (): Promise<void> => {
    try {
      changed({ ...result, ...(await askSecondReading(result.id)) });
    } catch (error) {
      trouble.value = error instanceof Error ? error.message : 'The gateway did not confirm it.';
    }
  };
  return (
    <>
      {words !== null && <Notice kind="info">{words}</Notice>}
      {trouble.value !== null && <Notice kind="error">{trouble.value}</Notice>}
      {may && result.second_reading === null && (
        <p>
          <button id="second-reading" type="button" class="plain" onClick={() => void ask()}>
            Ask for a second reading
          </button>
        </p>
      )}
    </>
  );
}

function Form({ result, region, changed, reload }: VerdictProps): JSX.Element {
  const left = outgoingOf(result.id);
  const [seen, reason, note] = [useSignal(left?.judgement.finding ?? ''), useSignal(left?.judgement.reason ?? ''), useSignal(left?.judgement.note ?? '')];
  const said = useSignal('');
  const judge = async (verdict: Opinion): Promise<void> => {
    // Marked busy, not disabled: a disabled button would lose the keyboard's focus.
    if (outgoingOf(result.id)?.trouble === null) return;
    const judgement: Judgement = { verdict, finding: seen.peek() || null, reason: reason.peek() || null, note: note.peek().trim() || null, region: region.peek() };
    said.value = '';
    try {
      changed(after(result, await give(result.id, judgement, result.verdict_etag)));
      // Now that hers is given, a second reader may see the first's.
      if (result.blinded) await reload();
      said.value = 'Your verdict is on record.';
      [seen.value, reason.value, note.value, region.value] = ['', '', '', null];
    } catch (error) {
      if (error instanceof ApiError && error.status === 412) await reload();
    }
  };
  return (
    <>
      <Said id="seen" words="What you see" list={codes.value?.findings ?? []} value={seen} />
      <Said id="reason" words="Why" list={codes.value?.reasons ?? []} value={reason} />
      <label for="note">Note (optional, without patients’ names)</label>
      <textarea id="note" rows={2} maxLength={NOTE_MOST} value={note.value} onInput={(event) => (note.value = event.currentTarget.value)} onKeyDown={leave} />
      <p class="quiet">{region.value === null ? 'No region drawn.' : `With your region: ${regionWords(region.value)}.`}</p>
      <Choices result={result} seen={seen} reason={reason} judge={judge} />
      <Trouble result={result.id} />
      <p class="said" role="status">
        {left?.trouble === null ? 'Saving your verdict…' : said.value}
      </p>
    </>
  );
}

/** One of the short lists. */
function Said({ id, words, list, value }: { id: string; words: string; list: readonly Code[]; value: Signal<string> }): JSX.Element {
  return (
    <label class="coded" for={id}>
      {words}
      <select id={id} value={value.value} onChange={(event) => (value.value = event.currentTarget.value)} onKeyDown={leave}>
        <option value="">not said</option>
        {list.map(({ code, words: shown }) => (
          <option key={code} value={code}>
            {shown}
          </option>
        ))}
      </select>
    </label>
  );
}

interface ChoicesProps {
  result: ResultDetail;
  seen: Signal<string>;
  reason: Signal<string>;
  judge: (verdict: Opinion) => Promise<void>;
}

function Choices({ result, seen, reason, judge }: ChoicesProps): JSX.Element {
  const words = opinionWords(result);
  const fits = useComputed(() => {
    const goes = (list: readonly Code[] | undefined, code: string, verdict: Opinion): boolean => list?.find((one) => one.code === code)?.with.includes(verdict) ?? true;
    return (verdict: Opinion) => goes(codes.value?.findings, seen.value, verdict) && goes(codes.value?.reasons, reason.value, verdict);
  });
  const busy = outgoingOf(result.id)?.trouble === null;
  const unfit = SIGNS.filter(([verdict]) => !fits.value(verdict)).map(([verdict]) => `“${words[verdict]}”`);
  return (
    <>
      <div class="choices">
        {SIGNS.map(([verdict, sign]) => (
          <button key={verdict} id={verdict} type="button" class={verdict} aria-pressed={result.verdict === verdict} aria-disabled={busy || !fits.value(verdict)} onClick={() => void (fits.value(verdict) && judge(verdict))}>
            <span aria-hidden="true">{sign}</span> {words[verdict]}
          </button>
        ))}
      </div>
      {unfit.length > 0 && <p class="quiet">What you chose above does not go with {unfit.join(', ')}.</p>}
    </>
  );
}

function Trouble({ result }: { result: string }): JSX.Element | null {
  const trouble = outgoingOf(result)?.trouble ?? null;
  if (trouble === null) return null;
  return (
    <Notice kind="error">
      <strong>The verdict is not on record.</strong> {trouble}{' '}
      <button type="button" class="plain" onClick={() => letGo(result)}>
        Let it go
      </button>
    </Notice>
  );
}

/** Escape leaves a field, so that single keys work again. */
function leave(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
  if (event.key === 'Escape') event.currentTarget.blur();
}
