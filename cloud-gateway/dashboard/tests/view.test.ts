// Window, placement and evidence layer: the arithmetic behind what the viewer shows.
import { describe, expect, test } from 'vitest';
import { actual, fit, panned, quarter, toImage, toView, turnedTo, zoomed, type Turn } from '../src/geometry';
import { buildTable, type Voi } from '../src/grayscale';
import { colourOf, colourise, contours, opacityOf, upsample } from '../src/saliency';
import { dragged, presetsFor, windowOf, withWindow } from '../src/window';

const RANGE = { min: 0, max: 4095 };
const IMAGE = { width: 800, height: 1000 };
const VIEW = { width: 1000, height: 1000 };

describe('window', () => {
  test('dragging right widens, dragging down raises the centre', () => {
    expect(dragged({ center: 2000, width: 1000 }, RANGE, 0.1, 0)).toEqual({ center: 2000, width: 1409.5 });
    expect(dragged({ center: 2000, width: 1000 }, RANGE, 0, 0.1)).toEqual({ center: 2409.5, width: 1000 });
  });

  test('the width never falls under 2', () => {
    expect(dragged({ center: 2000, width: 1000 }, RANGE, -5, 0).width).toBe(2);
  });

  test('a kind of window stays, a table becomes an exact linear window over what it maps', () => {
    expect(withWindow({ kind: 'sigmoid', center: 1, width: 9 }, { center: 5, width: 20 })).toEqual({ kind: 'sigmoid', center: 5, width: 20 });
    const lut: Voi = { kind: 'lut', first: 10, bits: 8, data: [0, 1, 2, 3, 4] };
    expect(windowOf(lut, RANGE)).toEqual({ center: 12, width: 4 });
    expect(withWindow(lut, windowOf(lut, RANGE)).kind).toBe('linear_exact');
  });

  test('the full range and the window that stands for it look the same', () => {
    const recipe = { offset: 0, invert: false, range: { min: 100, max: 3100 } };
    const asRange = buildTable({ ...recipe, voi: { kind: 'full_range' } });
    const asWindow = buildTable({ ...recipe, voi: withWindow({ kind: 'full_range' }, windowOf({ kind: 'full_range' }, recipe.range)) });
    // Half-way greys may round to either side: the two formulas are equal, their floating-point steps are not.
    expect(Math.max(...asRange.map((grey, i) => Math.abs(grey - (asWindow[i] ?? 0))).slice(0, 4096))).toBeLessThanOrEqual(1);
  });

  test('the lung preset follows the dark side, whichever end of the values that is', () => {
    const ramp = Uint16Array.from({ length: 1000 }, (_, i) => i);
    const lung = (invert: boolean): { center: number } | undefined => {
      const preset = presetsFor(ramp, 0, invert, { kind: 'full_range' }).find(({ id }) => id === 'lung');
      return preset === undefined ? undefined : windowOf(preset.voi, { min: 0, max: 999 });
    };
    expect(lung(false)?.center).toBeLessThan(400);
    expect(lung(true)?.center).toBeGreaterThan(600);
  });
});

describe('placement', () => {
  test('fit shows all of the image in the middle', () => {
    expect(fit(IMAGE, VIEW)).toEqual({ scale: 1, turn: 0, left: 100, top: 0 });
    expect(actual(IMAGE, { width: 400, height: 400 })).toEqual({ scale: 1, turn: 0, left: -200, top: -300 });
  });

  test('zooming keeps the point under the pointer', () => {
    const to = zoomed(fit(IMAGE, VIEW), IMAGE, VIEW, 2, { x: 500, y: 250 });
    expect((500 - to.left) / to.scale).toBeCloseTo(400);
    expect((250 - to.top) / to.scale).toBeCloseTo(250);
  });

  test('the film can’t be lost outside of the viewer', () => {
    const to = panned(fit(IMAGE, VIEW), IMAGE, VIEW, 99_999, -99_999);
    expect(to.left).toBeLessThan(VIEW.width);
    expect(to.top + IMAGE.height * to.scale).toBeGreaterThan(0);
  });
});

describe('turning', () => {
  const TURNS: readonly Turn[] = [0, 90, 180, 270];

  test('four quarters make a whole, there and back', () => {
    for (const turn of TURNS) {
      expect(quarter(quarter(turn, 'clockwise'), 'anticlockwise')).toBe(turn);
      expect(quarter(quarter(quarter(quarter(turn, 'clockwise'), 'clockwise'), 'clockwise'), 'clockwise')).toBe(turn);
    }
  });

  test('clockwise, the upper left corner goes to the upper right', () => {
    const turned = fit(IMAGE, VIEW, 90);
    expect(turned).toEqual({ scale: 1, turn: 90, left: 0, top: 100 });
    expect(toView(turned, IMAGE, { x: 0, y: 0 })).toEqual({ x: 1000, y: 100 });
    expect(toView(turned, IMAGE, { x: 800, y: 0 })).toEqual({ x: 1000, y: 900 });
  });

  test.each(TURNS)('by %i° the image is never mirrored, and every point is found again', (turn) => {
    const place = { scale: 1.7, turn, left: -31, top: 12 };
    const [o, right, down] = [toView(place, IMAGE, { x: 5, y: 9 }), toView(place, IMAGE, { x: 6, y: 9 }), toView(place, IMAGE, { x: 5, y: 10 })];
    // The cross product of "right" and "down" keeps its sign under a turn and changes it in a mirror.
    expect((right.x - o.x) * (down.y - o.y) - (right.y - o.y) * (down.x - o.x)).toBeCloseTo(1.7 * 1.7);
    const back = toImage(place, IMAGE, toView(place, IMAGE, { x: 123.4, y: 567.8 }));
    expect([back.x, back.y]).toEqual([expect.closeTo(123.4), expect.closeTo(567.8)]);
  });

  test.each(TURNS)('to %i° keeps what is in the middle', (turn) => {
    const from = zoomed(fit(IMAGE, VIEW), IMAGE, VIEW, 3, { x: 450, y: 480 });
    const middle = { x: 500, y: 500 };
    const [before, after] = [toImage(from, IMAGE, middle), toImage(turnedTo(from, IMAGE, VIEW, turn), IMAGE, middle)];
    expect(Math.hypot(before.x - after.x, before.y - after.y)).toBeLessThan(1);
  });
});

describe('evidence layer', () => {
  const grid = { rows: 3, columns: 3, values: Uint8Array.of(0, 0, 0, 0, 255, 0, 0, 0, 0) };
  const field = upsample(grid, 30, 60);

  test('the strongest point stays where it is and is 1', () => {
    const peak = field.indexOf(Math.max(...field));
    expect(Math.max(...field)).toBeCloseTo(1);
    expect(Math.abs(Math.floor(peak / 60) - 14.5)).toBeLessThan(1);
    expect(Math.abs((peak % 60) - 29.5)).toBeLessThan(1);
  });

  test('no evidence at all draws nothing', () => {
    const nothing = upsample({ ...grid, values: new Uint8Array(9) }, 8, 8);
    expect(colourise(nothing).every((byte, i) => i % 4 !== 3 || byte === 0)).toBe(true);
  });

  test('stronger evidence is lighter and never fainter', () => {
    const light = (share: number): number => colourOf(share).reduce((sum, part, i) => sum + part * ([0.21, 0.72, 0.07][i] ?? 0), 0);
    for (let share = 0.05; share <= 1; share += 0.05) {
      expect(light(share)).toBeGreaterThan(light(share - 0.05));
      expect(opacityOf(share)).toBeGreaterThanOrEqual(opacityOf(share - 0.05));
    }
  });

  test('contour lines leave the inside free', () => {
    const rgba = contours(field, 30, 60);
    expect(rgba[(15 * 60 + 30) * 4 + 3]).toBe(0);
    expect(rgba.some((byte, i) => i % 4 === 3 && byte === 255)).toBe(true);
  });
});
