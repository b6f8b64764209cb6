// The reader's verdict: agree or disagree, with a note; and all that were given. None is ever removed: who changes
// their mind gives the other one, and the latest counts.
import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { JSX } from 'preact';
import { ApiError, giveVerdict, type Opinion, type ResultDetail, type Verdict } from '../api';
import { roleWords } from '../rights';
import { Notice } from '../shell/notice';
import { state } from '../session';
import { When } from '../shell/when';

/** The gateway's limit, in characters. */
const NOTE_MOST = 2000;

interface Props {
  result: ResultDetail;
  given: (verdict: Verdict) => void;
  /** Loads what came in between. */
  overtaken: () => Promise<void>;
}

/** What each verdict says, for each thing that the model may have said. */
function choices({ outcome, finding }: ResultDetail): Record<Opinion, string> {
  if (outcome !== 'read') return { agree: 'Agree: rightly not assessed', disagree: 'Disagree: should be assessed' };
  return finding === 'positive'
    ? { agree: 'Agree: pneumonia', disagree: 'Disagree: no pneumonia' }
    : { agree: 'Agree: no pneumonia', disagree: 'Disagree: pneumonia' };
}

export function VerdictPanel({ result, given, overtaken }: Props): JSX.Element {
  const session = state.value.is === 'in' ? state.value.session : null;
  const words = choices(result);
  return (
    <section class="verdict-panel" aria-labelledby="verdict-title">
      <h2 id="verdict-title">Verdict</h2>
      {session?.may.includes('give_verdict') === true ? <Form result={result} given={given} overtaken={overtaken} words={words} /> : <p class="quiet">Only reviewers give verdicts; you are signed in as {roleWords(session?.role ?? '')}.</p>}
      <History verdicts={result.verdicts} words={words} />
    </section>
  );
}

function Form({ result, given, overtaken, words }: Props & { words: Record<Opinion, string> }): JSX.Element {
  const busy = useSignal(false);
  const trouble = useSignal<string | null>(null);
  const said = useSignal('');
  const note = useRef<HTMLTextAreaElement>(null);
  const give = async (opinion: Opinion): Promise<void> => {
    // Marked busy, not disabled: a disabled button would lose the keyboard's focus.
    if (busy.peek()) return;
    busy.value = true;
    trouble.value = null;
    try {
      given(await giveVerdict(result.id, opinion, note.current?.value.trim() ?? '', result.verdict_etag));
      said.value = 'Your verdict is on record.';
      if (note.current !== null) note.current.value = '';
    } catch (error) {
      trouble.value = error instanceof Error ? error.message : 'The gateway did not confirm it.';
      if (error instanceof ApiError && error.status === 412) {
        trouble.value = 'Somebody gave a verdict while you had this study open. It is shown below; look at it, then give yours again.';
        await overtaken();
      }
    } finally {
      busy.value = false;
    }
  };
  const button = (opinion: Opinion): JSX.Element => (
    <button id={opinion} type="button" class={opinion} aria-pressed={result.verdict === opinion} aria-disabled={busy.value} onClick={() => void give(opinion)}>
      <span aria-hidden="true">{opinion === 'agree' ? '✓' : '✗'}</span> {words[opinion]}
    </button>
  );
  return (
    <>
      <label for="note">Note (optional, without patients’ names)</label>
      <textarea id="note" ref={note} rows={2} maxLength={NOTE_MOST} onKeyDown={leave} />
      <div class="choices">
        {button('agree')}
        {button('disagree')}
      </div>
      {trouble.value !== null && (
        <Notice kind="error">
          <strong>The verdict is not on record.</strong> {trouble.value}
        </Notice>
      )}
      <p class="said" role="status">
        {said.value}
      </p>
    </>
  );
}

/** Escape leaves the note, so that single keys work again. */
function leave(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
  if (event.key === 'Escape') event.currentTarget.blur();
}

function History({ verdicts, words }: { verdicts: readonly Verdict[]; words: Record<Opinion, string> }): JSX.Element {
  if (verdicts.length === 0) return <p class="quiet">No verdict yet.</p>;
  return (
    <>
      <ol class="history" aria-label="Verdicts given, latest first">
        {verdicts.map((one, i) => (
          <li key={one.id} class={one.verdict} data-counts={i === 0 ? '' : undefined}>
            <strong>{words[one.verdict]}</strong> {i === 0 && <span class="badge">counts</span>}
            <br />
            <span class="quiet">
              {one.reviewer}, <When iso={one.given_at} full />
            </span>
            {one.note !== null && one.note !== '' && <blockquote>{one.note}</blockquote>}
          </li>
        ))}
      </ol>
      <p class="quiet">To change it, give the other verdict. Nothing is erased; the latest counts.</p>
    </>
  );
}
