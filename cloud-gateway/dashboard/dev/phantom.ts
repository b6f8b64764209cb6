// Development only: draws a crude chest phantom, so that the viewer has something to show before a gateway exists.

/** A repeatable stream of numbers in [0, 1). */
export function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export interface Phantom {
  rows: number;
  columns: number;
  samples: Uint16Array;
  saliency: { rows: number; columns: number; values: Uint8Array };
}

const soft = (edge: number): number => 1 / (1 + Math.exp(-edge));
const blob = (x: number, y: number, cx: number, cy: number, rx: number, ry: number): number => ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2;

/** 12-bit samples, lungs dark; `opacity` 0 to 1 whitens a patch of one lung. */
export function phantom(seed: number, opacity: number): Phantom {
  const roll = dice(seed);
  const [rows, columns] = [Math.round(900 + roll() * 124), Math.round(740 + roll() * 160)];
  const side = roll() < 0.5 ? 0.31 : 0.69;
  const patch = { x: side + (roll() - 0.5) * 0.06, y: 0.55 + roll() * 0.15, rx: 0.09, ry: 0.1 };
  const samples = new Uint16Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      samples[r * columns + c] = Math.round(Math.min(Math.max(tissue(c / columns, r / rows, patch, opacity) + (roll() - 0.5) * 70, 0), 4095));
    }
  }
  return { rows, columns, samples, saliency: map(patch, opacity, roll) };
}

function tissue(x: number, y: number, patch: { x: number; y: number; rx: number; ry: number }, opacity: number): number {
  const body = soft((1 - blob(x, y, 0.5, 0.62, 0.5, 0.62)) * 12);
  const lung = Math.max(soft((1 - blob(x, y, 0.31, 0.5, 0.16, 0.34)) * 6), soft((1 - blob(x, y, 0.69, 0.5, 0.16, 0.34)) * 6));
  const heart = soft((1 - blob(x, y, 0.56, 0.63, 0.15, 0.17)) * 7);
  const spine = soft((0.045 - Math.abs(x - 0.5)) * 120) * (0.75 + 0.25 * Math.cos(y * 90));
  const rib = Math.max(0, Math.cos((y - 0.35 * Math.abs(x - 0.5) * 1.6) * 62)) ** 4 * soft((0.4 - Math.abs(x - 0.5)) * 40) * soft((0.85 - y) * 30);
  const clavicle = Math.exp(-(((y - 0.16 - 0.12 * Math.abs(x - 0.5)) / 0.016) ** 2)) * soft((Math.abs(x - 0.5) - 0.07) * 60);
  const vessels = lung * Math.exp(-Math.abs(Math.abs(x - 0.5) - 0.13) * 22) * Math.exp(-(((y - 0.5) / 0.14) ** 2)) * 320;
  const haze = opacity * 900 * Math.exp(-blob(x, y, patch.x, patch.y, patch.rx, patch.ry) * 0.8);
  const air = lung * (1 - heart * 0.9);
  return 320 + body * 2100 - air * 1500 + heart * 700 * body + spine * 500 * body + rib * 270 * body + clavicle * 430 + vessels + haze * air;
}

function map(patch: { x: number; y: number }, opacity: number, roll: () => number): Phantom['saliency'] {
  const [rows, columns] = [14, 14];
  const field = Array.from({ length: rows * columns }, (_, i) => {
    const [x, y] = [((i % columns) + 0.5) / columns, (Math.floor(i / columns) + 0.5) / rows];
    return (0.3 + opacity) * Math.exp(-blob(x, y, patch.x, patch.y, 0.12, 0.12)) + roll() * 0.18;
  });
  const most = Math.max(...field);
  return { rows, columns, values: Uint8Array.from(field, (value) => Math.round((value / most) * 255)) };
}
