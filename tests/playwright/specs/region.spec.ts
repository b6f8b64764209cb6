// What lies over the film: the drawn region and the evidence, and that both stay on the same place of the film.
import type { Locator, Page } from '@playwright/test';
import { expect, filmOf, openStudy, picture, pixels, settled, signIn, test } from './browser';

const region = (page: Page): Locator => page.locator('#region');

/** Where the image's upper left corner lies on the page at 1:1. */
async function corner(page: Page, image: { rows: number; columns: number }): Promise<{ x: number; y: number }> {
  const canvas = page.locator('.glass canvas');
  const [box, width, height] = [await canvas.boundingBox(), await canvas.getAttribute('width'), await canvas.getAttribute('height')];
  if (box === null) throw new Error('the film has no place on the page');
  return { x: box.x + Math.round((Number(width) - image.columns) / 2), y: box.y + Math.round((Number(height) - image.rows) / 2) };
}

async function sizeOf(page: Page, id: string): Promise<{ rows: number; columns: number }> {
  return ((await (await page.request.get(`/api/v1/results/${id}`)).json()) as { image: { rows: number; columns: number } }).image;
}

test('a region is drawn in the image’s own columns and rows, and stays there', async ({ page }) => {
  await signIn(page);
  const image = await sizeOf(page, await openStudy(page));
  await page.getByRole('button', { name: '1:1' }).click();
  await settled(page);
  const at = await corner(page, image);
  const [column, row] = [Math.round(image.columns / 2) - 60, Math.round(image.rows / 2) - 40];
  await page.getByRole('button', { name: 'Rectangle' }).click();
  await page.mouse.move(at.x + column, at.y + row);
  await page.mouse.down();
  await page.mouse.move(at.x + column + 110, at.y + row + 70, { steps: 5 });
  await page.mouse.up();
  const words = `Rectangle, columns ${column} to ${column + 110}, rows ${row} to ${row + 70}`;
  await expect(region(page)).toHaveAttribute('aria-label', new RegExp(`^${words}\\.`));
  await picture(page, 'study-region');

  // Turned, it is the same region, and lies as many pixels across as it did down.
  await page.getByRole('button', { name: 'Turn clockwise' }).click();
  await expect(page.getByText('Turned 90° clockwise')).toBeVisible();
  await expect(region(page)).toHaveAttribute('aria-label', new RegExp(`^${words}\\.`));
  const line = await page.locator('#region .line').boundingBox();
  const stroke = 2;
  expect([Math.round(line?.width ?? 0), Math.round(line?.height ?? 0)]).toEqual([70 + stroke, 110 + stroke]);

  // Taken by a corner it changes its size, by its inside its place.
  await page.getByRole('button', { name: 'Reset' }).click();
  await page.getByRole('button', { name: '1:1' }).click();
  await page.mouse.move(at.x + column + 110, at.y + row + 70);
  await page.mouse.down();
  await page.mouse.move(at.x + column + 90, at.y + row + 60, { steps: 4 });
  await page.mouse.up();
  await expect(region(page)).toHaveAttribute('aria-label', new RegExp(`columns ${column} to ${column + 90}, rows ${row} to ${row + 60}`));
  await page.mouse.move(at.x + column + 40, at.y + row + 30);
  await page.mouse.down();
  await page.mouse.move(at.x + column + 50, at.y + row + 20, { steps: 4 });
  await page.mouse.up();
  await expect(region(page)).toHaveAttribute('aria-label', new RegExp(`columns ${column + 10} to ${column + 100}, rows ${row - 10} to ${row + 50}`));
  await page.getByRole('button', { name: 'Remove the region' }).click();
  await expect(region(page)).toHaveCount(0);
});

test('the keyboard alone draws, moves, sizes and removes a region, and turns the film', async ({ page }) => {
  await signIn(page);
  const image = await sizeOf(page, await openStudy(page));
  const [left, right] = [Math.round(image.columns / 3), Math.round((2 * image.columns) / 3)];
  await page.keyboard.press('e');
  await expect(page.getByTestId('film')).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(region(page)).toBeFocused();
  await expect(region(page)).toHaveAttribute('aria-label', new RegExp(`^Ellipse, columns ${left} to ${right}`));
  await page.keyboard.press('ArrowRight');
  await expect(region(page)).toHaveAttribute('aria-label', new RegExp(`columns ${left + 4} to ${right + 4}`));
  await page.keyboard.press('Shift+ArrowLeft');
  await expect(region(page)).toHaveAttribute('aria-label', new RegExp(`columns ${left + 4} to ${right}`));
  await page.keyboard.press('Delete');
  await expect(region(page)).toHaveCount(0);
  // Escape puts the pen down first, and leaves the study only then.
  await page.keyboard.press('Escape');
  await expect(page.getByRole('button', { name: 'Window', exact: true })).toHaveAttribute('aria-pressed', 'true');
  expect(page.url()).toContain('/results/');
  await page.keyboard.press(',');
  await expect(page.getByText('Turned 90° anticlockwise')).toBeVisible();
  await page.keyboard.press('r');
  await expect(page.getByText('Turned 90°')).toHaveCount(0);
});

test('the evidence lies on its place of the film, turned and magnified', async ({ page }) => {
  await signIn(page);
  const id = await openStudy(page);
  const detail = (await (await page.request.get(`/api/v1/results/${id}`)).json()) as { saliency: { rows: number; columns: number } };
  const { rows, columns } = detail.saliency;
  // All evidence in one cell, a quarter from the left and the top: no symmetry hides a turn the wrong way round.
  const [row, column] = [Math.floor(rows / 4), Math.floor(columns / 4)];
  const map = Buffer.alloc(rows * columns);
  map[row * columns + column] = 255;
  await page.route(`**/results/${id}/saliency`, (route) => route.fulfill({ body: map, contentType: 'application/octet-stream' }));
  await page.reload();
  await filmOf(page, id);
  await page.keyboard.press('o');
  const image = await sizeOf(page, id);
  const spot = { x: ((column + 0.5) / columns) * image.columns, y: ((row + 0.5) / rows) * image.rows };
  for (const [turns, at] of [spot, { x: image.rows - spot.y, y: spot.x }, { x: image.columns - spot.x, y: image.rows - spot.y }].entries()) {
    const [wide, high] = turns === 1 ? [image.rows, image.columns] : [image.columns, image.rows];
    await expect.poll(async () => {
      const { width, height, middle } = await coloured(page);
      const scale = Math.min(width / wide, height / high);
      return Math.hypot(middle.x - (width - wide * scale) / 2 - at.x * scale, middle.y - (height - high * scale) / 2 - at.y * scale);
    }).toBeLessThan(2);
    await page.keyboard.press('.');
  }
  // Magnified about the middle, it moves away from it as the film does.
  await page.keyboard.press('r');
  await page.keyboard.press('o');
  await settled(page);
  const before = await coloured(page);
  await page.keyboard.press('+');
  await expect.poll(async () => {
    const { width, height, middle } = await coloured(page);
    const away = (to: { x: number; y: number }): number => Math.hypot(to.x - width / 2, to.y - height / 2);
    return away(middle) / away(before.middle);
  }).toBeCloseTo(1.25, 1);
});

/** The middle of all that is not grey, weighed by how much it is not. */
async function coloured(page: Page): Promise<{ width: number; height: number; middle: { x: number; y: number } }> {
  const { width, height, data } = await pixels(page, 'canvas');
  let [sum, x, y] = [0, 0, 0];
  for (let i = 0; i < width * height; i++) {
    const [r = 0, g = 0, b = 0] = data.subarray(4 * i, 4 * i + 3);
    const colour = Math.max(r, g, b) - Math.min(r, g, b);
    [sum, x, y] = [sum + colour, x + colour * ((i % width) + 0.5), y + colour * (Math.floor(i / width) + 0.5)];
  }
  return { width, height, middle: { x: x / sum, y: y / sum } };
}

test('the viewer fills the screen and comes back', async ({ page }) => {
  await signIn(page);
  await openStudy(page);
  const small = await page.getByTestId('film').boundingBox();
  await page.keyboard.press('v');
  await expect.poll(() => page.evaluate(() => document.fullscreenElement?.className ?? '')).toContain('viewer');
  await expect.poll(async () => (await page.getByTestId('film').boundingBox())?.width ?? 0).toBeGreaterThan((small?.width ?? 0) + 100);
  await settled(page);
  await page.keyboard.press('v');
  await expect.poll(() => page.evaluate(() => document.fullscreenElement === null)).toBe(true);
});

test.describe('on a tablet', () => {
  test.use({ viewport: { width: 820, height: 1180 }, deviceScaleFactor: 2, hasTouch: true });

  test('two fingers magnify, one changes the window', async ({ page }) => {
    await signIn(page);
    await openStudy(page);
    const box = await page.getByTestId('film').boundingBox();
    if (box === null) throw new Error('the film has no place on the page');
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const fingers = await page.context().newCDPSession(page);
    const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', points: [number, number][]): Promise<unknown> =>
      fingers.send('Input.dispatchTouchEvent', { type, touchPoints: points.map(([px, py], id) => ({ x: px, y: py, id })) });
    const percent = async (): Promise<number> => Number(/(\d+) % of the/.exec(await page.locator('.corner.numbers').innerText())?.[1]);

    const before = await percent();
    await touch('touchStart', [[x - 60, y]]);
    await touch('touchStart', [[x - 60, y], [x + 60, y]]);
    for (const apart of [80, 100, 120]) await touch('touchMove', [[x - apart, y], [x + apart, y]]);
    await touch('touchEnd', []);
    // Both numbers are rounded ones.
    await expect.poll(async () => Math.abs((await percent()) - before * 2)).toBeLessThanOrEqual(2);

    const centre = page.getByRole('spinbutton', { name: 'Centre' });
    const was = Number(await centre.inputValue());
    await touch('touchStart', [[x, y]]);
    for (const down of [20, 40, 60]) await touch('touchMove', [[x, y + down]]);
    await touch('touchEnd', []);
    await expect.poll(async () => Number(await centre.inputValue())).toBeGreaterThan(was);
  });
});
