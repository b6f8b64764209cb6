// Window centre and width as a reader handles them: which window a transform stands for, what dragging does to it, and
// presets that come from the image's own histogram. Pure.
import type { Range, Voi, Window } from './grayscale';

/** A named starting window. */
export interface Preset {
  id: 'delivered' | 'full' | 'lung' | 'soft' | 'dense';
  name: string;
  /** Says where its numbers come from. */
  why: string;
  voi: Voi;
}

/** The window that a transform stands for: a table or the full range stand for the span of values they map. */
export function windowOf(voi: Voi, range: Range): Window {
  switch (voi.kind) {
    case 'linear':
    case 'linear_exact':
    case 'sigmoid':
      return { center: voi.center, width: voi.width };
    case 'lut':
      return spanning({ min: voi.first, max: voi.first + voi.data.length - 1 });
    case 'full_range':
      return spanning(range);
  }
}

/** The same kind of transform under another window; a table or the full range becomes an exact linear window. */
export function withWindow(voi: Voi, window: Window): Voi {
  const kind = voi.kind === 'lut' || voi.kind === 'full_range' ? 'linear_exact' : voi.kind;
  return { kind, ...legal(window) };
}

/** Width is never under 2: LINEAR divides by width − 1 (PS3.3 C.11.2.1.2.1). */
function legal({ center, width }: Window): Window {
  return { center: tidy(center), width: Math.max(2, tidy(width)) };
}

/** Halves are enough for samples that are whole numbers, and needed for the middle between two of them. */
function tidy(n: number): number {
  return Number.isFinite(n) ? Math.round(n * 2) / 2 : 0;
}

/**
 * Dragging, as most viewers have it: to the right widens (less contrast), downwards raises the centre (darker).
 * `dx`, `dy` are shares of the viewer's shorter side, so that one sweep over it crosses the image's whole range.
 */
export function dragged(start: Window, range: Range, dx: number, dy: number): Window {
  const span = Math.max(range.max - range.min, 16);
  return legal({ center: start.center + dy * span, width: start.width + dx * span });
}

function spanning({ min, max }: Range): Window {
  return { center: (min + max) / 2, width: Math.max(max - min, 2) };
}

/** Value under which `share` (0 to 1) of the samples lie. */
export function quantile(histogram: Uint32Array, total: number, offset: number, share: number): number {
  let left = share * total;
  for (let sample = 0; sample < histogram.length; sample++) {
    left -= histogram[sample] ?? 0;
    if (left <= 0) return sample + offset;
  }
  return histogram.length - 1 + offset;
}

/** How often each sample value occurs. */
export function histogramOf(samples: Uint16Array): Uint32Array {
  const histogram = new Uint32Array(65_536);
  for (const sample of samples) histogram[sample] = (histogram[sample] ?? 0) + 1;
  return histogram;
}

/**
 * The presets of one image. Digital radiographs have no absolute scale (unlike CT's Hounsfield units), so no fixed
 * numbers are right for lungs: these take shares of the image's own histogram, counted from its dark side.
 */
export function presetsFor(samples: Uint16Array, offset: number, invert: boolean, delivered: Voi): Preset[] {
  const histogram = histogramOf(samples);
  const between = (dark: number, bright: number): Voi => {
    const [low, high] = invert ? [1 - bright, 1 - dark] : [dark, bright];
    const at = (share: number): number => quantile(histogram, samples.length, offset, share);
    return withWindow({ kind: 'full_range' }, spanning({ min: at(low), max: at(high) }));
  };
  return [
    { id: 'delivered', name: 'As acquired', why: 'as it came, and as the model saw it', voi: delivered },
    { id: 'lung', name: 'Lung (narrow)', why: 'from the darkest 3 % to 60 % of its pixels', voi: between(0.03, 0.6) },
    { id: 'soft', name: 'Soft tissue (wide)', why: 'from the darkest 1 % to 99 % of its pixels', voi: between(0.01, 0.99) },
    { id: 'dense', name: 'Mediastinum, bone', why: 'from the darkest 45 % to 99.5 % of its pixels', voi: between(0.45, 0.995) },
    { id: 'full', name: 'Full range', why: 'from its least to its greatest value', voi: { kind: 'full_range' } },
  ];
}
