// Sets a film on its stage and takes it down again: the presenter alive in between, the canvases as many device pixels
// large as their place on the page. What is drawn when is `drawing.ts`'s.
import type { Signal } from '@preact/signals';
import type { Placement } from '../geometry';
import { Drawing } from './drawing';
import { fitOver } from './layers';
import type { Held } from './presenter';
import type { View } from './view';

/** What is on the stage. `held` counts what Cornerstone keeps, once the film is drawn. */
export type Picture = { is: 'coming' } | { is: 'shown'; held: Held } | { is: 'lost' } | { is: 'failed'; why: string };

/** The stage's own elements: where Cornerstone puts its canvas, and the evidence over it. */
export interface Parts {
  stage: HTMLElement;
  glass: HTMLDivElement;
  evidence: HTMLCanvasElement;
}

export interface Show {
  parts: Parts;
  view: View;
  picture: Signal<Picture>;
  /** The placement as it is on the screen: Cornerstone draws one frame after it was told. */
  drawn: Signal<Placement | null>;
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

/** Cornerstone comes with the first film; asked for while that film is still on its way, it is there in time. */
export async function summon(): Promise<typeof import('./presenter')> {
  try {
    return await import('./presenter');
  } catch {
    throw new Error('The part of the dashboard that draws it could not be loaded: the gateway can’t be reached, or was just updated. Reload the page.');
  }
}

async function open(show: Show, over: AbortSignal): Promise<void> {
  const { present, held, DRAWN } = await summon();
  if (over.aborted) return;
  fitOver(show.parts, show.view.size.peek());
  const presenter = await present(show.parts.glass, show.view.film, over);
  const drawing = new Drawing(show, presenter, held);
  show.parts.glass.addEventListener(DRAWN, () => drawing.drew(), { signal: over });
  // A graphics process that died takes canvases with it; the browser says so, and gives them back empty.
  presenter.canvas.addEventListener('contextlost', () => (show.picture.value = { is: 'lost' }), { signal: over });
  presenter.canvas.addEventListener('contextrestored', () => drawing.anew(), { signal: over });
  const stop = drawing.follow();
  over.addEventListener('abort', stop);
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
