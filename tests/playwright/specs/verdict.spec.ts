// The reader's verdict by the keyboard alone: what she sees, why, a region, undo; and what happens when another comes first.
import type { Locator, Page } from '@playwright/test';
import { expect, openStudy, picture, signIn, test } from './browser';

const history = (page: Page): Locator => page.getByRole('list', { name: /Verdicts given/ }).getByRole('listitem');

/** Gives a verdict past the page, as another window would. */
async function elsewhere(page: Page, id: string): Promise<void> {
  const { csrf } = (await (await page.request.get('/api/v1/session')).json()) as { csrf: string };
  const given = await page.request.post(`/api/v1/results/${id}/verdicts`, { data: { verdict: 'uncertain' }, headers: { 'x-hilum-csrf': csrf } });
  expect(given.status()).toBe(201);
}

test('the keyboard alone says what is seen, why and where, and takes it back', async ({ page }) => {
  await signIn(page);
  const id = await openStudy(page);
  const had = await history(page).count();
  await page.keyboard.press('b');
  await page.keyboard.press('Enter');
  await expect(page.locator('#region')).toBeFocused();
  const region = /Rectangle, columns \d+ to \d+, rows \d+ to \d+/.exec((await page.locator('#region').getAttribute('aria-label')) ?? '')?.[0] ?? '';
  await page.keyboard.press('g');
  await expect(page.getByLabel('What you see')).toBeFocused();
  await page.keyboard.type('Pleural');
  await page.keyboard.press('Escape');
  await page.keyboard.press('y');
  await page.keyboard.type('A finding');
  await page.keyboard.press('Escape');
  // What was missed is no reason to agree.
  await expect(page.getByRole('button', { name: /^.? ?Agree/ })).toHaveAttribute('aria-disabled', 'true');
  await page.keyboard.press('n');
  await page.keyboard.type('costophrenic angle');
  await page.keyboard.press('Escape');
  await picture(page, 'verdict-form');
  await page.keyboard.press('d');
  await page.keyboard.press('Enter');
  await expect(page.getByText('Your verdict is on record.')).toBeVisible();
  await expect(history(page)).toHaveCount(had + 1);
  for (const words of ['Pleural effusion · A finding was missed', 'costophrenic angle', region]) await expect(history(page).first()).toContainText(words);
  await expect(page.locator('#region')).toHaveCount(0);
  await history(page).first().getByRole('button', { name: 'Show it' }).click();
  await expect(page.locator('#region')).toHaveAttribute('aria-label', new RegExp(`^${region}`));
  await page.keyboard.press('x');

  await page.keyboard.press('z');
  await expect(page.getByRole('button', { name: 'Undo this verdict' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(history(page).first()).toContainText('withdrawn');
  // A second one from the same page, with the tag that the first and its withdrawal left.
  await page.keyboard.press('Escape');
  await page.keyboard.press('q');
  await page.keyboard.press('Enter');
  await expect(history(page).first()).toContainText('Uncertain');
  await expect(history(page).first()).toContainText('counts');
  const shown = (await (await page.request.get(`/api/v1/results/${id}`)).json()) as { verdict: string };
  expect(shown.verdict).toBe('uncertain');
  await picture(page, 'verdict-withdrawn');
});

test('a verdict that another one overtook is not given, and its words are kept', async ({ page, complaints }) => {
  await signIn(page);
  const id = await openStudy(page);
  const had = await history(page).count();
  await page.getByLabel(/^Note/).fill('mine');
  await page.getByRole('button', { name: 'Unreadable film' }).click();
  await expect(history(page)).toHaveCount(had + 1);
  await elsewhere(page, id);
  await page.getByLabel(/^Note/).fill('mine again');
  await page.getByRole('button', { name: 'Unreadable film' }).click();
  await expect(page.getByRole('alert')).toContainText('The verdict is not on record. Somebody gave a verdict');
  await expect(history(page)).toHaveCount(had + 2);
  await expect(page.getByLabel(/^Note/)).toHaveValue('mine again');
  await page.getByRole('button', { name: 'Unreadable film' }).click();
  await expect(history(page)).toHaveCount(had + 3);
  await expect(page.getByRole('alert')).toHaveCount(0);
  // The browser itself reports the refused request; that one line is right to be there.
  expect(complaints.splice(0)).toEqual([expect.stringContaining('412')]);
});

test('a verdict that fails after its reader went on is told on the next page', async ({ page, complaints }) => {
  await signIn(page);
  const id = await openStudy(page);
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  await page.route(`**/results/${id}/verdicts`, async (route) => {
    await gate;
    await route.abort();
  });
  await page.getByRole('button', { name: 'Uncertain' }).click();
  await expect(page.locator('.saving')).toContainText('saving…');
  await page.keyboard.press('u');
  await expect(page.getByRole('heading', { name: 'Work list' })).toBeVisible();
  release();
  await expect(page.getByRole('alert')).toContainText('A verdict of yours is not on record.');
  await page.unrouteAll();
  await page.getByRole('link', { name: 'Open its study' }).click();
  await expect(page.getByRole('alert')).toContainText('The verdict is not on record.');
  await page.getByRole('button', { name: 'Uncertain' }).click();
  await expect(page.getByText('Your verdict is on record.')).toBeVisible();
  // The browser itself reports the broken request; that one line is right to be there.
  expect(complaints.splice(0)).toEqual([expect.stringContaining('ERR_FAILED')]);
});
