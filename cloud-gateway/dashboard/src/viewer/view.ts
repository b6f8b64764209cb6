// What the viewer shows of one film: window, negative, placement, evidence layer. Signals and the acts that change
// them; no drawing here.
import { computed, signal, type ReadonlySignal, type Signal } from '@preact/signals';
import type { Film } from '../film';
import { actual, fit, panned, quarter, turnedTo, zoomed, type Placement, type Point, type Size, type Turn } from '../geometry';
import type { Voi, Window } from '../grayscale';
import type { Shape } from '../region';
import { windowOf, withWindow, type Preset } from '../window';

/** How the evidence is drawn. */
export type EvidenceStyle = 'colour' | 'lines';
/** What dragging does; each film begins with the window, lest a pen left in hand draws on the next one. */
export type Tool = 'window' | 'pan' | Shape;

/** Kept from study to study. Whether the layer is on is not: each film is first seen bare. */
export const opacity = signal(0.45);
export const evidenceStyle = signal<EvidenceStyle>('colour');

/** One film's view. */
export interface View {
  film: Film;
  /** Columns as width, rows as height. */
  image: Size;
  tool: Signal<Tool>;
  voi: Signal<Voi>;
  window: ReadonlySignal<Window>;
  /** The preset in force; null once the reader has changed the window. */
  preset: Signal<Preset['id'] | null>;
  /** The reader's own inversion, on top of the photometric interpretation's. */
  negative: Signal<boolean>;
  evidenceOn: Signal<boolean>;
  /** Size of the drawing area, device pixels. */
  size: Signal<Size>;
  placement: ReadonlySignal<Placement>;
  setWindow: (window: Window) => void;
  choose: (id: Preset['id']) => void;
  zoom: (factor: number, at?: Point) => void;
  pan: (dx: number, dy: number) => void;
  turn: (way: 'clockwise' | 'anticlockwise') => void;
  fit: () => void;
  actual: () => void;
  reset: () => void;
}

export function viewOf(film: Film): View {
  const placing = placingOf({ width: film.columns, height: film.rows });
  const voi = signal<Voi>(film.delivered);
  const preset = signal<Preset['id'] | null>('delivered');
  const negative = signal(false);
  const evidenceOn = signal(false);
  const choose = (id: Preset['id']): void => {
    const chosen = film.presets.find((one) => one.id === id);
    if (chosen === undefined) return;
    voi.value = chosen.voi;
    preset.value = id;
  };
  return {
    film,
    tool: signal<Tool>('window'),
    voi,
    window: computed(() => windowOf(voi.value, film.range)),
    preset,
    negative,
    evidenceOn,
    ...placing,
    setWindow: (window) => {
      voi.value = withWindow(voi.peek(), window);
      preset.value = null;
    },
    choose,
    reset: () => {
      choose('delivered');
      negative.value = false;
      evidenceOn.value = false;
      placing.upright();
    },
  };
}

type Placing = Pick<View, 'image' | 'size' | 'placement' | 'zoom' | 'pan' | 'turn' | 'fit' | 'actual'> & { upright: () => void };

function placingOf(image: Size): Placing {
  const size = signal<Size>({ width: 1, height: 1 });
  const turn = signal<Turn>(0);
  /** Null follows the size of the drawing area: the whole image, always. */
  const placed = signal<Placement | null>(null);
  const placement = computed(() => placed.value ?? fit(image, size.value, turn.value));
  const middle = (): Point => ({ x: size.peek().width / 2, y: size.peek().height / 2 });
  return {
    image,
    size,
    placement,
    zoom: (factor, at = middle()) => (placed.value = zoomed(placement.peek(), image, size.peek(), factor, at)),
    pan: (dx, dy) => (placed.value = panned(placement.peek(), image, size.peek(), dx, dy)),
    turn: (way) => {
      const to = quarter(turn.peek(), way);
      // A film that is shown whole stays whole.
      if (placed.peek() !== null) placed.value = turnedTo(placement.peek(), image, size.peek(), to);
      turn.value = to;
    },
    fit: () => (placed.value = null),
    actual: () => (placed.value = actual(image, size.peek(), turn.peek())),
    upright: () => {
      turn.value = 0;
      placed.value = null;
    },
  };
}
