// Keeps the film on its stage: the presenter alive, the canvases as many device pixels large as their place on the page,
// everything drawn anew on every change, and what lies over the film moved with it and not before it.
import { effect, untracked, type ReadonlySignal, type Signal } from '@preact/signals';
import type { Placement, Point, Size } from '../geometry';
import { buildTable, develop } from '../grayscale';
import { EvidenceLayer, type Evidence } from './evidence_layer';
import type { Held, Presenter } from './presenter';
import { evidenceStyle, opacity, type View } from './view';

/** What is on the stage. `held` counts what Cornerstone keeps, once the film is drawn. */
export type Picture = { is: 'coming' } | { is: 'shown'; held: Held } | { is: 'lost' } | { is: 'failed'; why: string };

/** The stage's own elements: where Cornerstone puts its canvas, and the evidence over it. */
export interface Parts {
  stage: HTMLElement;
  glass: HTMLDivElement;
  evidence: HTMLCanvasElement;
}

interface Show {
  parts: Parts;
  view: View;
  picture: Signal<Picture>;
  /** The placement as it is on the screen: Cornerstone draws one frame after it was told. */
  drawn: Signal<Placement | null>;
}

/** The stage's first whole device pixel, from the page's corner: it may begin within one, and a film there would smear. */
export function originOf(stage: Element): Point {
  const { left, top } = stage.getBoundingClientRect();
  return { x: Math.ceil(left * devicePixelRatio), y: Math.ceil(top * devicePixelRatio) };
}

/** Lays an element of so many device pixels over its stage, pixel upon pixel, whatever the screen's density. */
export function layOver(element: HTMLElement | SVGElement | null, { width, height }: Size): void {
  const stage = element?.parentElement;
  if (element === null || stage === null || stage === undefined) return;
  const { left, top } = stage.getBoundingClientRect();
  const [origin, ratio] = [originOf(stage), devicePixelRatio];
  element.style.width = `${width}px`;
  element.style.height = `${height}px`;
  element.style.transform = `translate(${origin.x / ratio - left}px, ${origin.y / ratio - top}px) scale(${1 / ratio})`;
}

/** Shows a view; the returned function takes everything down, also what is still on its way. */
export function mountStage(show: Show): () => void {
  const over = new AbortController();
  show.picture.value = { is: 'coming' };
  show.drawn.value = null;
  measure(show, over.signal);
  open(show, over.signal).catch((error: unknown) => {
    if (!over.signal.aborted) show.picture.value = { is: 'failed', why: error instanceof Error ? error.message : 'no reason was given.' };
  });
  return () => over.abort();
}

async function open(show: Show, over: AbortSignal): Promise<void> {
  const { present, held, DRAWN } = await import('./presenter');
  if (over.aborted) return;
  size(show.parts, show.view.size.peek());
  const presenter = await present(show.parts.glass, show.view.film, over);
  keepDrawn(show, presenter, over, DRAWN, held);
}

function size({ glass, evidence }: Parts, to: Size): void {
  layOver(glass, to);
  layOver(evidence, to);
}

/** Follows the stage's size and the screen's density. */
function measure({ parts: { stage }, view }: Show, over: AbortSignal): void {
  const take = (): void => {
    const ratio = devicePixelRatio;
    const next = { width: Math.max(1, Math.round(stage.clientWidth * ratio)), height: Math.max(1, Math.round(stage.clientHeight * ratio)) };
    if (next.width !== view.size.peek().width || next.height !== view.size.peek().height) view.size.value = next;
  };
  const observer = new ResizeObserver(take);
  observer.observe(stage);
  // The window went to another screen, or the page's zoom changed.
  addEventListener('resize', take, { signal: over });
  over.addEventListener('abort', () => observer.disconnect());
  take();
}

/** At most once a frame: greys if the transform changed, place, then Cornerstone draws and what lies above follows. */
function keepDrawn(show: Show, presenter: Presenter, over: AbortSignal, drawnEvent: string, held: () => Held): void {
  const { parts, view, picture, drawn } = show;
  const layer = new EvidenceLayer(view.film);
  let [frame, developed] = [0, ''];
  let sized: Size | null = null;
  let placed: Placement | null = null;
  const overlay = (): void => {
    if (drawn.peek() !== null) layer.draw(parts.evidence, view.size.peek(), drawn.peek(), evidenceOf(view));
  };
  const draw = (): void => {
    const [to, placement] = [view.size.peek(), view.placement.peek()];
    if (to !== sized) {
      size(parts, to);
      presenter.resize();
      sized = to;
    }
    const transform = JSON.stringify([view.voi.peek(), view.negative.peek()]);
    if (transform !== developed) presenter.develop((greys) => develop(view.film.samples, tableOf(view), greys));
    developed = transform;
    presenter.place(placement);
    placed = placement;
  };
  const soon = (): void => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(draw);
  };
  const stops = [whenever([view.voi, view.negative, view.placement, view.size], soon), whenever([view.evidenceOn, evidenceStyle, opacity], overlay)];
  const shown = (): void => {
    // Cornerstone draws once of its own accord, before there are greys: that is no film yet.
    if (placed === null) return;
    drawn.value = placed;
    overlay();
    if (picture.peek().is === 'coming') picture.value = { is: 'shown', held: held() };
  };
  parts.glass.addEventListener(drawnEvent, shown, { signal: over });
  // A graphics process that died takes canvases with it; the browser says so, and gives them back empty.
  presenter.canvas.addEventListener('contextlost', () => (picture.value = { is: 'lost' }), { signal: over });
  const restored = (): void => {
    developed = '';
    picture.value = { is: 'coming' };
    soon();
  };
  presenter.canvas.addEventListener('contextrestored', restored, { signal: over });
  over.addEventListener('abort', () => {
    cancelAnimationFrame(frame);
    for (const stop of stops) stop();
  });
}

/** Acts now, and whenever one of these changes. */
function whenever(signals: readonly ReadonlySignal<unknown>[], act: () => void): () => void {
  return effect(() => {
    signals.forEach((one) => one.value);
    untracked(act);
  });
}

function tableOf({ film, voi, negative }: View): Uint8Array {
  const { offset, range, invert } = film;
  return buildTable({ voi: voi.peek(), offset, range, invert: invert !== negative.peek() });
}

function evidenceOf({ evidenceOn }: View): Evidence | null {
  return evidenceOn.peek() ? { style: evidenceStyle.peek(), opacity: opacity.peek() } : null;
}
