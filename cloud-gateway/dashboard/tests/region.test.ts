// Drawing on the film: what a stroke, a corner, a key make of a region, always within the image and in whole pixels.
import { describe, expect, test } from 'vitest';
import { bounds, drawn, grip, inMiddle, MOST_POINTS, moved, regionWords, sized, traced, type Region, type Shape } from '../src/region';

const EXTENT = { columns: 400, rows: 300 };
const BOX: Region = { shape: 'rectangle', points: [[100, 50], [200, 150]] };

/** A press, the pointer's way, and what is there in the end. */
function stroke(shape: Shape, from: Region | null, way: [number, number][], reach = 5): Region | null {
  const [press, ...rest] = way;
  if (press === undefined) return from;
  let held = grip(shape, from, press, reach);
  let now = from;
  for (const at of rest) {
    held = traced(held, at);
    now = drawn(held, EXTENT, at) ?? now;
  }
  return now;
}

describe('a stroke', () => {
  test.each([
    ['to the right and down', [[10, 20], [60, 90]], [[10, 20], [60, 90]]],
    ['to the left and up', [[60, 90], [10, 20]], [[10, 20], [60, 90]]],
    ['past the edges', [[350, 250], [900, -40]], [[350, 0], [400, 250]]],
    ['between two pixels', [[10.4, 20.6], [60.5, 90.2]], [[10, 21], [61, 90]]],
  ] as [string, [number, number][], [number, number][]][])('%s makes a box', (_, way, points) => {
    expect(stroke('rectangle', null, way)).toEqual({ shape: 'rectangle', points });
    expect(stroke('ellipse', null, way)).toEqual({ shape: 'ellipse', points });
  });

  test('too small to be meant draws nothing and takes nothing away', () => {
    expect(stroke('rectangle', null, [[10, 10], [12, 40]])).toBeNull();
    expect(stroke('rectangle', BOX, [[300, 200], [302, 202]])).toEqual(BOX);
  });

  test('from a corner sizes, across the opposite one too', () => {
    expect(stroke('rectangle', BOX, [[202, 148], [230, 170]])?.points).toEqual([[100, 50], [230, 170]]);
    expect(stroke('rectangle', BOX, [[100, 50], [260, 190]])?.points).toEqual([[200, 150], [260, 190]]);
  });

  test('from the inside moves, as far as the image goes', () => {
    expect(stroke('rectangle', BOX, [[150, 100], [160, 90]])?.points).toEqual([[110, 40], [210, 140]]);
    expect(stroke('rectangle', BOX, [[150, 100], [-900, 900]])?.points).toEqual([[0, 200], [100, 300]]);
  });

  test('in another shape begins anew, also inside', () => {
    expect(stroke('ellipse', BOX, [[150, 100], [180, 130]])).toEqual({ shape: 'ellipse', points: [[150, 100], [180, 130]] });
  });

  test('beside an ellipse but inside its box is beside it', () => {
    const ellipse: Region = { shape: 'ellipse', points: [[100, 50], [200, 150]] };
    expect(grip('ellipse', ellipse, [110, 60], 2).is).toBe('drawing');
    expect(grip('ellipse', ellipse, [150, 100], 2).is).toBe('moving');
  });
});

describe('a freehand line', () => {
  const ring = (steps: number): [number, number][] => Array.from({ length: steps }, (_, i) => [200 + 90 * Math.cos((i / steps) * 6.28), 150 + 90 * Math.sin((i / steps) * 6.28)]);

  test('follows the hand, whole pixels, no point twice', () => {
    const region = stroke('freehand', null, ring(60));
    expect(region?.points.length).toBeGreaterThan(30);
    expect(region?.points.flat().every(Number.isInteger)).toBe(true);
    expect(region === null ? [] : bounds(region)).toEqual([110, 60, 290, 240]);
  });

  test('stays bounded however long it is drawn, and keeps its form', () => {
    const region = stroke('freehand', null, Array.from({ length: 40 }, () => ring(180)).flat());
    expect(region?.points.length).toBeLessThanOrEqual(MOST_POINTS + 1);
    expect(region === null ? [] : bounds(region).map((edge) => Math.round(edge / 10))).toEqual([11, 6, 29, 24]);
  });

  test('is taken hold of by its inside, even-odd', () => {
    const hook: Region = { shape: 'freehand', points: [[0, 0], [100, 0], [100, 100], [80, 100], [80, 20], [20, 20], [20, 100], [0, 100]] };
    expect(grip('freehand', hook, [10, 50], 1).is).toBe('moving');
    expect(grip('freehand', hook, [50, 60], 1).is).toBe('drawing');
  });
});

describe('keys', () => {
  test.each(['rectangle', 'ellipse', 'freehand'] as const)('put a %s in the middle, move it, size it, and never leave the image', (shape) => {
    let region = inMiddle(shape, EXTENT);
    expect(bounds(region)).toEqual([133, 100, 267, 200]);
    expect(bounds(moved(region, EXTENT, 4, -4))).toEqual([137, 96, 271, 196]);
    expect(bounds(sized(region, EXTENT, 8, -8))).toEqual([133, 100, 275, 192]);
    for (let n = 0; n < 200; n++) region = sized(moved(region, EXTENT, 7, 3), EXTENT, 9, 9);
    const [left, top, right, bottom] = bounds(region);
    expect([left >= 0, top >= 0, right, bottom]).toEqual([true, true, 400, 300]);
    for (let n = 0; n < 200; n++) region = sized(region, EXTENT, -9, -9);
    expect(bounds(region)[2] - bounds(region)[0]).toBe(4);
  });
});

test('words name the place', () => {
  expect(regionWords(BOX)).toBe('Rectangle, columns 100 to 200, rows 50 to 150');
});
