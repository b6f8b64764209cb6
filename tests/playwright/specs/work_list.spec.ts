// The work list in other orders, with filters that are kept, and how long each result has waited.
import type { Page } from '@playwright/test';
import { expect, picture, rows, signIn, test } from './browser';

const shares = async (page: Page): Promise<number[]> => (await page.locator('.probability .number').allInnerTexts()).map((text) => Number(/[\d.]+/.exec(text)?.[0]));

test('the gateway sorts, one way and the other, and the address says so', async ({ page }) => {
  await signIn(page);
  await expect(rows(page).first()).toBeVisible();
  await page.keyboard.press('s');
  await expect(page.getByLabel('Order')).toBeFocused();
  await page.getByLabel('Order').selectOption('probability');
  await expect(page).toHaveURL(/sort=probability/);
  await expect.poll(async () => { const found = await shares(page); return found.length > 1 && found.join() === found.toSorted((a, b) => b - a).join(); }).toBe(true);
  await page.getByRole('button', { name: 'The other way round' }).click();
  await expect(page).toHaveURL(/reverse=true/);
  await expect.poll(async () => { const found = await shares(page); return found.length > 1 && found.join() === found.toSorted((a, b) => a - b).join(); }).toBe(true);
  await picture(page, 'work-list-sorted');
});

test('a filter is kept under a name, chosen again, and forgotten', async ({ page }) => {
  await signIn(page);
  await page.goto('/?finding=positive&sort=received');
  await expect(page.getByLabel('Order')).toHaveValue('received');
  await page.getByRole('button', { name: 'Keep this filter' }).click();
  await page.getByLabel('Name of the filter').fill('Suspected, longest waiting');
  await page.keyboard.press('Enter');
  const kept = page.getByLabel('Kept filters');
  await expect(kept.locator('option:checked')).toHaveText('Suspected, longest waiting');
  await page.goto('/');
  await kept.selectOption({ label: 'Suspected, longest waiting' });
  await expect(page).toHaveURL(/finding=positive&sort=received/);
  await picture(page, 'work-list-kept-filter');
  await page.getByRole('button', { name: /^Forget/ }).click();
  await expect(kept.locator('option')).toHaveText(['none kept']);
});

test('a result that waits says for how long', async ({ page }) => {
  await signIn(page);
  await page.goto('/?reviewed=false');
  await expect(rows(page).first()).toBeVisible();
  await expect(rows(page).first().locator('.waiting')).toContainText(/waits (under 1 min|\d+ (min|h))/);
});
