// One study: the film, what the model says of it and why, and the reader's verdict.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { JSX } from 'preact';
import * as api from '../api';
import { loadFilm } from '../film';
import { STEP } from '../geometry';
import { useShortcuts, type Shortcut } from '../keyboard';
import { go } from '../router';
import { studyPath } from '../routes';
import * as sequence from '../sequence';
import { Notice } from '../shell/notice';
import { Panel } from '../study/panel';
import { opacity, viewOf, type View } from '../viewer/view';
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

  const load = async (stillHere: () => boolean): Promise<void> => {
    try {
      const detail = await api.getResult(id);
      if (stillHere()) [result.value, trouble.value] = [detail, null];
      const found = await pictureOf(detail);
      if (stillHere()) picture.value = found;
    } catch (error) {
      if (stillHere()) trouble.value = words(error);
    }
  };
  useEffect(() => {
    let here = true;
    let polls = 0;
    selected.value = id;
    void sequence.ensure(id);
    void load(() => here);
    const timer = setInterval(() => {
      const awaited = result.peek() !== null && picture.peek().is === 'none' && result.peek()?.outcome !== 'unreadable';
      if (awaited && polls++ < IMAGE_POLLS) void load(() => here);
    }, IMAGE_POLL_MS);
    return () => {
      here = false;
      clearInterval(timer);
    };
  }, [id]);

  const view = picture.value.is === 'here' ? picture.value.view : null;
  useShortcuts([...walking(id), ...judging(), ...(view === null ? [] : viewing(view))]);
  if (trouble.value !== null) return <Failed why={trouble.value} />;
  if (result.value === null) return <p class="quiet pad">Loading the study…</p>;
  const overtaken = async (): Promise<void> => {
    try {
      result.value = await api.getResult(id);
    } catch (error) {
      trouble.value = words(error);
    }
  };
  const given = (verdict: api.Verdict): void => {
    const now = result.peek();
    if (now !== null) result.value = { ...now, verdict: verdict.verdict, verdicts: [verdict, ...now.verdicts], verdict_etag: null };
  };
  return (
    <div class="study">
      <Stage picture={picture.value} result={result.value} />
      <Panel result={result.value} place={sequence.placeOf(id)} given={given} overtaken={overtaken} />
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

function Stage({ picture, result }: { picture: Picture; result: api.ResultDetail }): JSX.Element {
  if (picture.is === 'here') {
    return <Viewer view={picture.view} label={`Chest radiograph, ${patientWords(result)}`} />;
  }
  return (
    <section class="viewer no-film" aria-label="Radiograph">
      {picture.is === 'loading' && <p class="quiet">Loading the image…</p>}
      {picture.is === 'failed' && <Notice kind="error">{picture.why}</Notice>}
      {picture.is === 'none' && <p class="quiet">{absence(result.outcome)}</p>}
    </section>
  );
}

function absence(outcome: api.Outcome): string {
  return outcome === 'unreadable'
    ? 'There is no image: none could be made from what arrived.'
    : 'The image has not arrived yet. It travels apart from the result; this page looks for it for half a minute, then reload it.';
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

/** Moves to a verdict's button; Enter then gives it. One stray key must not put a verdict on record. */
function judging(): Shortcut[] {
  const focus = (id: string) => (): void => document.getElementById(id)?.focus();
  return [
    { key: 'a', does: 'To the “agree” button (Enter gives the verdict)', run: focus('agree') },
    { key: 'd', does: 'To the “disagree” button (Enter gives the verdict)', run: focus('disagree') },
    { key: 'n', does: 'To the note', run: focus('note') },
  ];
}

function viewing(view: View): Shortcut[] {
  const fade = (by: number) => (): void => void (opacity.value = Math.min(Math.max(Math.round((opacity.value + by) * 20) / 20, 0.05), 1));
  const presets = view.film.presets.map(({ id }) => id);
  const cycle = (): void => view.choose(presets[(presets.indexOf(view.preset.peek() ?? 'full') + 1) % presets.length] ?? 'delivered');
  return [
    { key: 'o', does: 'Model’s evidence on or off', run: () => (view.evidenceOn.value = !view.evidenceOn.value) },
    { key: '[', does: 'Evidence fainter, stronger', run: fade(-0.1) },
    { key: ']', does: 'Evidence fainter, stronger', run: fade(0.1) },
    { key: 'w', does: 'Next window preset', run: cycle },
    { key: 'i', does: 'Invert', run: () => (view.negative.value = !view.negative.value) },
    { key: '+', does: 'Zoom in, out', run: () => view.zoom(STEP) },
    { key: '-', does: 'Zoom in, out', run: () => view.zoom(1 / STEP) },
    { key: 'f', does: 'The whole film', run: view.fit },
    { key: '1', does: 'One preview pixel per screen pixel', run: view.actual },
    { key: 'r', does: 'Reset the view', run: view.reset },
  ];
}
