// Every page against axe's WCAG 2.2 AA rules, on a bright and on a dark screen.
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { expect, openStudy, rows, signIn, test } from './browser';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

async function violations(page: Page): Promise<string[]> {
  const { violations: found } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  return found.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id} at ${target.join(' ')}: ${failureSummary ?? ''}`));
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`every page passes in ${colorScheme} colours`, async ({ page }) => {
    // Seven searches of axe take their time on a busy machine.
    test.setTimeout(150_000);
    await page.emulateMedia({ colorScheme });
    await page.goto('/');
    await expect(page.getByLabel('Password')).toBeVisible();
    expect(await violations(page)).toEqual([]);
    await signIn(page);
    await expect(rows(page).first()).toBeVisible();
    expect(await violations(page)).toEqual([]);
    await openStudy(page);
    expect(await violations(page)).toEqual([]);
    // With all that can lie over the film: evidence, a region under the pen, the sign of a turn.
    for (const key of ['o', 'b', 'Enter', '.']) await page.keyboard.press(key);
    await expect(page.locator('#region')).toBeFocused();
    await expect(page.getByText('Turned 90° clockwise')).toBeVisible();
    expect(await violations(page)).toEqual([]);
    for (const path of ['/audit', '/devices']) {
      await page.goto(path);
      await expect(rows(page).first()).toBeVisible();
      expect(await violations(page)).toEqual([]);
    }
    await page.goto('/account');
    await expect(page.getByRole('button', { name: 'Set up' })).toBeVisible();
    expect(await violations(page)).toEqual([]);
  });
}

test('on a tablet nothing has to be scrolled sideways', async ({ page }) => {
  await page.setViewportSize({ width: 820, height: 1180 });
  await signIn(page);
  await openStudy(page);
  for (const path of [page.url(), '/', '/audit', '/devices', '/account']) {
    await page.goto(path);
    await expect(page.getByRole('banner')).toBeVisible();
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(over, path).toBeLessThanOrEqual(0);
  }
});
