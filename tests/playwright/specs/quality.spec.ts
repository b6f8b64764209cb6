// The quality page: numbers with their uncertainty, plots with their tables, and the studies behind each.
import AxeBuilder from '@axe-core/playwright';
import { expect, picture, rows, signIn, test } from './browser';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const SECTIONS = ['Against the reviewers’ verdicts', 'Groups of patients, sites and devices', 'Drift', 'Turnaround and readable images'];

test('each section answers, and a number leads to the studies behind it', async ({ page }) => {
  await signIn(page);
  await page.getByRole('link', { name: 'Quality' }).click();
  await expect(page).toHaveURL(/\/quality$/);
  await page.getByLabel('Period').selectOption('365');
  await expect(page).toHaveURL(/days=365/);
  for (const name of SECTIONS) await expect(page.getByRole('heading', { name, exact: true })).toBeVisible();
  await expect(page.getByText('Computing…')).toHaveCount(0);

  // A plot is drawn, not only its frame: the canvas holds more than one colour.
  const canvas = page.locator('.plot canvas').first();
  await expect(canvas).toBeVisible();
  await expect
    .poll(() =>
      canvas.evaluate((drawn: HTMLCanvasElement) => {
        const bytes = drawn.getContext('2d')?.getImageData(0, 0, drawn.width, drawn.height).data ?? new Uint8ClampedArray();
        return new Set(new Uint32Array(bytes.buffer)).size;
      }),
    )
    .toBeGreaterThan(3);

  // The number and the length of the list that it leads to are the same.
  const link = page.locator('table.numbers').filter({ hasText: 'What became of the images' }).getByRole('link').first();
  const n = Number(await link.textContent());
  expect(n).toBeGreaterThan(0);
  await link.click();
  await expect(page.getByRole('heading', { name: 'Studies behind a number' })).toBeVisible();
  await expect(rows(page)).toHaveCount(Math.min(n, 50));
  await rows(page).first().getByRole('link').click();
  await expect(page).toHaveURL(/\/results\//);
});

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [1280, 820]) {
    test(`it passes at ${width} pixels in ${colorScheme} colours`, async ({ page }) => {
      test.setTimeout(120_000);
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 1180 });
      await signIn(page);
      await page.goto('/quality?days=365');
      await expect(page.getByRole('heading', { name: 'Drift', exact: true })).toBeVisible();
      await expect(page.getByText('Computing…')).toHaveCount(0);
      await expect(page.locator('.plot canvas').first()).toBeVisible();
      await picture(page, `quality-${width}-${colorScheme}`);
      const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
      expect(violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id} at ${target.join(' ')}`))).toEqual([]);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(over).toBeLessThanOrEqual(0);
    });
  }
}
