// Draws a film anew on every change, at most once a frame: its greys if the transform changed, then its place; and once
// Cornerstone has drawn, what lies over the film, lest it run ahead of it.
import { effect, untracked, type ReadonlySignal } from '@preact/signals';
import type { Placement, Size } from '../geometry';
import { buildTable, develop, type Voi } from '../grayscale';
import { EvidenceLayer } from './evidence_layer';
import { fitOver } from './layers';
import type { Held, Presenter } from './presenter';
import type { Show } from './stage';
import { evidenceStyle, opacity } from './view';

export class Drawing {
  private readonly show: Show;
  private readonly presenter: Presenter;
  private readonly held: () => Held;
  private readonly layer: EvidenceLayer;
  private frame = 0;
  private sized: Size | null = null;
  /** What the greys were made under; null before there are any. */
  private developed: { voi: Voi; negative: boolean } | null = null;
  private placed: Placement | null = null;

  constructor(show: Show, presenter: Presenter, held: () => Held) {
    this.show = show;
    this.presenter = presenter;
    this.held = held;
    this.layer = new EvidenceLayer(show.view.film);
  }

  /** Follows the view from now on, until the returned function is called. */
  follow(): () => void {
    const { voi, negative, placement, size, evidenceOn } = this.show.view;
    const stops = [whenever([voi, negative, placement, size], () => this.soon()), whenever([evidenceOn, evidenceStyle, opacity], () => this.overlay())];
    return () => {
      cancelAnimationFrame(this.frame);
      for (const stop of stops) stop();
    };
  }

  /** The canvas was emptied: everything again. */
  anew(): void {
    this.developed = null;
    this.show.picture.value = { is: 'coming' };
    this.soon();
  }

  /** Cornerstone has drawn. */
  drew(): void {
    // It draws once of its own accord, before there are greys: that is no film yet.
    if (this.placed === null) return;
    const { drawn, picture } = this.show;
    drawn.value = this.placed;
    this.overlay();
    if (picture.peek().is === 'coming') picture.value = { is: 'shown', held: this.held() };
  }

  private soon(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    const { parts, view } = this.show;
    const size = view.size.peek();
    if (size !== this.sized) {
      fitOver(parts, size);
      this.presenter.resize();
      this.sized = size;
    }
    this.develop();
    this.placed = view.placement.peek();
    this.presenter.place(this.placed);
  }

  private develop(): void {
    const { film, ...view } = this.show.view;
    const [voi, negative] = [view.voi.peek(), view.negative.peek()];
    if (voi === this.developed?.voi && negative === this.developed.negative) return;
    const table = buildTable({ voi, offset: film.offset, range: film.range, invert: film.invert !== negative });
    this.presenter.develop((greys) => develop(film.samples, table, greys));
    this.developed = { voi, negative };
  }

  private overlay(): void {
    const { parts, view, drawn } = this.show;
    const evidence = view.evidenceOn.peek() ? { style: evidenceStyle.peek(), opacity: opacity.peek() } : null;
    this.layer.draw(parts.evidence, view.size.peek(), drawn.peek(), evidence);
  }
}

/** Acts now, and whenever one of these changes. */
function whenever(signals: readonly ReadonlySignal<unknown>[], act: () => void): () => void {
  return effect(() => {
    signals.forEach((one) => one.value);
    untracked(act);
  });
}
