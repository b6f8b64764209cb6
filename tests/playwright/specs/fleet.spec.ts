// The devices page: each device with its state in words, and a new one let in by who may.
import AxeBuilder from '@axe-core/playwright';
import { required } from '../environment';
import { expect, picture, rows, signIn, test } from './browser';

test('each device says how it is, and a reviewer lets none in', async ({ page }) => {
  await signIn(page);
  await page.goto('/devices');
  await expect(rows(page).first()).toBeVisible();
  await expect(page.getByRole('heading', { name: /well|want a look/ }).first()).toBeVisible();
  for (const column of ['Model and what computes it', 'Certificate until']) await expect(page.getByRole('columnheader', { name: column }).first()).toBeVisible();
  await expect(page.getByText('Let a device in', { exact: true })).toHaveCount(0);
  expect((await page.request.post('/api/v1/claims', { data: { device: 'demo-9', site: 'x' } })).status()).toBe(403);
});

test('an operator lets a device in by a token that is shown once', async ({ page }) => {
  await page.goto('/');
  await page.getByLabel('User name').fill(required('HILUM_OPERATOR'));
  await page.getByLabel('Password').fill(required('HILUM_PASSWORD'));
  await page.getByRole('button', { name: 'Sign in' }).click();
  // Who sees no films begins at the devices.
  await expect(page.getByRole('heading', { name: 'Devices', exact: true })).toBeVisible();
  await page.getByText('Let a device in', { exact: true }).click();
  const name = page.getByLabel('The device’s name', { exact: false });
  await page.getByLabel('The site that it will stand in').fill('Playwright’s ward');
  await name.fill('Not A Name');
  await page.getByRole('button', { name: 'Make a token' }).click();
  expect(await name.evaluate((field: HTMLInputElement) => field.validity.patternMismatch)).toBe(true);
  await name.fill('playwright-1');
  await page.getByRole('button', { name: 'Make a token' }).click();
  const token = page.locator('code.token');
  await expect(token).toHaveText(/^([a-z2-9]{5}-){4}[a-z2-9]{5}$/);
  await expect(page.getByRole('img', { name: 'The token as a QR code' })).toBeVisible();
  await expect(page.getByText('hilum-sync-agent enrol --url')).toBeVisible();
  await picture(page, 'enrolment');
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']).analyze();
    expect(violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id} at ${target.join(' ')}`))).toEqual([]);
  }
  await page.getByRole('button', { name: 'Done' }).click();
  await expect(token).toHaveCount(0);
});
