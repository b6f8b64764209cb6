// Draws a region with the pointer: from device pixels of the viewer to the image's columns and rows, and on to whoever
// keeps the region.
import type { ReadonlySignal } from '@preact/signals';
import { toImage, type Point } from '../geometry';
import { drawn, grip, traced, type Grip, type Region, type Shape } from '../region';
import type { View } from './view';

/** How near to a corner a press takes hold of it, CSS pixels: half of WCAG 2.2's least target (2.5.8). */
const REACH = 12;

export interface Pen {
  press: (shape: Shape, at: Point) => void;
  move: (at: Point) => void;
  /** Ends it; `drop` takes back what was drawn since the press. */
  lift: (drop: boolean) => void;
}

export function penOf(view: View, region: ReadonlySignal<Region | null>, onRegion: (region: Region | null) => void): Pen {
  const extent = { columns: view.film.columns, rows: view.film.rows };
  let held: Grip | null = null;
  let before: Region | null = null;
  const where = (at: Point): [number, number] => {
    const { x, y } = toImage(view.placement.peek(), view.image, at);
    return [x, y];
  };
  return {
    press: (shape, at) => {
      before = region.peek();
      held = grip(shape, before, where(at), (REACH * devicePixelRatio) / view.placement.peek().scale);
    },
    move: (at) => {
      if (held === null) return;
      held = traced(held, where(at));
      const next = drawn(held, extent, where(at));
      if (next !== null) onRegion(next);
    },
    lift: (drop) => {
      if (drop && held !== null) onRegion(before);
      held = null;
    },
  };
}
