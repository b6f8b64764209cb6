// One study: the film, what the model says of it and why, and the reader's verdict.
import { useSignal, type Signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { JSX } from 'preact';
import * as api from '../api';
import { loadFilm } from '../film';
import { useShortcuts, type Shortcut } from '../keyboard';
import { reach, useNews } from '../live';
import type { Region } from '../region';
import { go } from '../router';
import { studyPath } from '../routes';
import * as sequence from '../sequence';
import { Notice } from '../shell/notice';
import { settled } from '../study/ahead';
import { Panel } from '../study/panel';
import { viewing } from '../viewer/keys';
import { summon } from '../viewer/stage';
import { viewOf, type View } from '../viewer/view';
import { Viewer } from '../viewer/viewer';
import { listPath } from '../filter';
import { filter, selected } from '../work_list';
import { patientWords } from '../words';

/** The image travels apart from its result and may come seconds later: looked for this often, this many times. More would
 *  fill the audit log, where every look stands. */
const IMAGE_POLL_MS = 5000;
const IMAGE_POLLS = 6;

type Picture = { is: 'loading' } | { is: 'none' } | { is: 'failed'; why: string } | { is: 'here'; view: View };

export function StudyPage({ id }: { id: string }): JSX.Element {
  const result = useSignal<api.ResultDetail | null>(null);
  const trouble = useSignal<string | null>(null);
  const picture = useSignal<Picture>({ is: 'loading' });
  /** What the reader drew on the film, in columns and rows of the stored image. */
  const region = useSignal<Region | null>(null);

  /** False once the reader has gone on: what comes then is for nobody. */
  const here = useRef(true);

  const load = async (unattended = false): Promise<void> => {
    try {
      const detail = await api.getResult(id, unattended);
      if (here.current) [result.value, trouble.value] = [detail, null];
      const found = await pictureOf(detail);
      // Whoever went on to another study must not be shown this one's film there.
      if (here.current) [picture.value, settled.value] = [found, id];
    } catch (error) {
      if (here.current) trouble.value = words(error);
    }
  };
  const awaited = (): boolean => result.peek() !== null && picture.peek().is === 'none' && result.peek()?.outcome !== 'unreadable';
  /** What was said of this study meanwhile; its film stays as it is. */
  const reread = async (): Promise<void> => {
    try {
      const detail = await api.getResult(id, true);
      if (here.current) result.value = detail;
    } catch {
      // What is shown was true when it was read; a verdict on it is refused if it no longer is.
    }
  };
  useNews(
    ({ kind, subject, own }) => {
      if (subject !== id) return;
      if (kind === 'image' && awaited()) void load(true);
      if (kind === 'result' || (kind === 'verdict' && !own)) void reread();
    },
    [id],
  );
  useEffect(() => {
    here.current = true;
    let polls = 0;
    selected.value = id;
    void sequence.ensure(id);
    // Why it failed is said where the film should be.
    summon().catch(() => undefined);
    void load();
    const timer = setInterval(() => {
      if (awaited() && polls++ < IMAGE_POLLS) void load(true);
    }, IMAGE_POLL_MS);
    return () => {
      here.current = false;
      clearInterval(timer);
    };
  }, [id]);

  const view = picture.value.is === 'here' ? picture.value.view : null;
  useShortcuts([...(view === null ? [] : viewing(view, region)), ...walking(id), ...judging()]);
  if (trouble.value !== null) return <Failed why={trouble.value} />;
  if (result.value === null) return <p class="quiet pad">Loading the study…</p>;
  const reload = async (): Promise<void> => {
    try {
      result.value = await api.getResult(id);
    } catch (error) {
      trouble.value = words(error);
    }
  };
  const again = async (): Promise<void> => {
    picture.value = { is: 'loading' };
    await load();
  };
  return (
    <div class="study">
      <Stage picture={picture.value} result={result.value} region={region} again={again} />
      <Panel result={result.value} place={sequence.placeOf(id)} region={region} changed={(now) => (result.value = now)} reload={reload} />
    </div>
  );
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : 'The study could not be loaded.';
}

async function pictureOf(detail: api.ResultDetail): Promise<Picture> {
  try {
    const film = await loadFilm(detail);
    return film === null ? { is: 'none' } : { is: 'here', view: viewOf(film) };
  } catch (error) {
    return { is: 'failed', why: error instanceof Error ? error.message : 'The image could not be loaded.' };
  }
}

interface StageProps {
  picture: Picture;
  result: api.ResultDetail;
  region: Signal<Region | null>;
  again: () => Promise<void>;
}

function Stage({ picture, result, region, again }: StageProps): JSX.Element {
  if (picture.is === 'here') {
    return <Viewer view={picture.view} label={`Chest radiograph, ${patientWords(result)}`} region={region} onRegion={(drawn) => (region.value = drawn)} />;
  }
  return (
    <section class="viewer no-film" aria-label="Radiograph">
      {picture.is === 'loading' && <p class="quiet">Loading the image…</p>}
      {picture.is === 'failed' && (
        <Notice kind="error">
          <strong>The film is not shown.</strong> {picture.why}{' '}
          <button type="button" onClick={() => void again()}>
            Try again
          </button>
        </Notice>
      )}
      {picture.is === 'none' && <p class="quiet">{absence(result.outcome)}</p>}
    </section>
  );
}

function absence(outcome: api.Outcome): string {
  return outcome === 'unreadable'
    ? 'There is no image: none could be made from what arrived.'
    : `The image has not arrived yet. It travels apart from the result; ${reach.value === 'whole' ? 'it is shown here as soon as it comes.' : 'this page looks for it for half a minute, then reload it.'}`;
}

function Failed({ why }: { why: string }): JSX.Element {
  return (
    <div class="page">
      <Notice kind="error">
        <strong>This study can’t be shown.</strong> {why}
      </Notice>
      <p>
        <button type="button" onClick={() => location.reload()}>
          Try again
        </button>{' '}
        <a href={listPath(filter.value)}>Back to the work list</a>
      </p>
    </div>
  );
}

function walking(id: string): Shortcut[] {
  const to = (target: string | null): void => {
    if (target !== null) go(studyPath(target));
  };
  const next = (): void => to(sequence.placeOf(id).next);
  const previous = (): void => to(sequence.placeOf(id).previous);
  const back = (): void => go(listPath(filter.peek()));
  return [
    { key: 'j', does: 'Next study', run: next },
    { key: 'k', does: 'Previous study', run: previous },
    { key: 'Escape', does: 'Back to the work list', run: back },
    { key: 'u', does: 'Back to the work list', run: back },
  ];
}

/** Moves to a verdict's button; Enter then gives it. One stray key must not put a verdict on record, or take one back. */
function judging(): Shortcut[] {
  const focus = (id: string) => (): void => document.getElementById(id)?.focus();
  return [
    { key: 'a', does: 'To the “agree” button (Enter gives the verdict)', run: focus('agree') },
    { key: 'd', does: 'To the “disagree” button (Enter gives the verdict)', run: focus('disagree') },
    { key: 'q', does: 'To the “uncertain” button (Enter gives the verdict)', run: focus('uncertain') },
    { key: 't', does: 'To the “unreadable” button (Enter gives the verdict)', run: focus('unreadable') },
    { key: 'g', does: 'To what you see (Escape comes back)', run: focus('seen') },
    { key: 'y', does: 'To your reason (Escape comes back)', run: focus('reason') },
    { key: 'n', does: 'To the note (Escape comes back)', run: focus('note') },
    { key: 'm', does: 'To “Ask for a second reading” (Enter asks)', run: focus('second-reading') },
    { key: 'z', does: 'To “Undo” (Enter takes your verdict back)', run: focus('undo') },
  ];
}
