// The viewer: that what it draws is the grey-scale transform and nothing else, of the study that is open and no other.
import { readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { expect, filmOf, greys, openStudy, signIn, test } from './browser';

interface Case {
  name: string;
  samples: number[];
  offset: number;
  voi: { kind: string; center?: number; width?: number; lut_first?: number; lut_bits?: number; lut?: number[] };
  invert: boolean;
  expect: number[];
}

/** The vectors that the reader's Rust is tested by. */
const vectors = JSON.parse(readFileSync(new URL('../../../reader/tests/vectors/grayscale.json', import.meta.url), 'utf8')) as { cases: Case[] };

/** Rows of the little images that the vectors become: enough to see that rows are not mixed up. */
const ROWS = 3;

const bytesOf = (words: readonly number[]): Buffer => Buffer.from(Uint16Array.from(words).buffer);

/** Puts a vector in the place of a study's image: everything from the page's request on is the real viewer. */
async function instead(page: Page, id: string, { samples, offset, voi, invert }: Case): Promise<void> {
  const { lut, ...transform } = voi;
  await page.route(`**/api/v1/results/${id}`, async (route) => {
    const answer = await route.fetch();
    const detail = (await answer.json()) as { image: object };
    const image = { ...detail.image, rows: ROWS, columns: samples.length, offset, invert, voi: transform };
    await route.fulfill({ response: answer, json: { ...detail, image, saliency: null } });
  });
  await page.route(`**/api/v1/results/${id}/image`, (route) => route.fulfill({ body: bytesOf(Array.from({ length: ROWS }, () => samples).flat()), contentType: 'application/octet-stream' }));
  await page.route(`**/api/v1/results/${id}/voi-lut`, (route) => route.fulfill({ body: bytesOf(lut ?? []), contentType: 'application/octet-stream' }));
}

/** The pixels where a 1:1 image of this size lies, row by row. */
async function middle(page: Page, columns: number, rowsShown: number): Promise<number[][]> {
  const { width, height, values } = await greys(page);
  const [left, top] = [Math.round((width - columns) / 2), Math.round((height - rowsShown) / 2)];
  return Array.from({ length: rowsShown }, (_, row) => [...values.subarray((top + row) * width + left, (top + row) * width + left + columns)]);
}

/** Shows a vector in the place of the study that is open, one image pixel to the screen pixel. */
async function showAtOneToOne(page: Page, id: string, one: Case): Promise<void> {
  await page.unrouteAll();
  await instead(page, id, one);
  await page.keyboard.press('u');
  await page.locator(`tr[data-id="${id}"]`).click();
  await filmOf(page, id);
  await page.getByRole('button', { name: '1:1' }).click();
}

/** Those that go into one row of the stage; one column would be no picture. */
const cases = vectors.cases.filter(({ samples }) => samples.length > 1 && samples.length <= 600);
const times = <T>(n: number, of: T): T[] => Array.from({ length: n }, () => of);

test('the canvas holds exactly the greys of the reference vectors', async ({ page }) => {
  test.setTimeout(240_000);
  expect(new Set(cases.map(({ voi, invert }) => `${voi.kind} ${invert}`)).size).toBeGreaterThanOrEqual(8);
  await signIn(page);
  const id = await openStudy(page);
  for (const one of cases) {
    await showAtOneToOne(page, id, one);
    await expect.poll(() => middle(page, one.samples.length, ROWS), { message: one.name }).toEqual(times(ROWS, one.expect));
  }
});

for (const density of [1, 1.5, 2]) {
  test.describe(`on a screen of ${density} pixels to the CSS pixel`, () => {
    test.use({ deviceScaleFactor: density });

    test('a screen pixel is a preview pixel at 1:1, whichever way the film is turned', async ({ page }) => {
      const ramp = cases.find(({ name }) => name.startsWith('identity'));
      if (ramp === undefined) throw new Error('the vectors hold no identity');
      await signIn(page);
      await showAtOneToOne(page, await openStudy(page), ramp);
      const back = [...ramp.expect].reverse();
      const down = (column: number[]): number[][] => column.map((grey) => times(ROWS, grey));
      // Clockwise: what ran to the right runs downwards, then to the left, then upwards.
      for (const wanted of [times(ROWS, ramp.expect), down(ramp.expect), times(ROWS, back), down(back)]) {
        await page.getByRole('button', { name: '1:1' }).click();
        await expect.poll(() => middle(page, wanted[0]?.length ?? 0, wanted.length)).toEqual(wanted);
        await page.keyboard.press('.');
      }
    });
  });
}
