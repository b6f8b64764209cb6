// An administrator makes an account, changes it, and makes and revokes a program's key.
import AxeBuilder from '@axe-core/playwright';
import { required } from '../environment';
import { enter, expect, picture, rows, test } from './browser';

const NAME = 'made-in-the-browser';

test('an account is made and changed, and a key is made, used and revoked', async ({ page, complaints }) => {
  await enter(page, required('HILUM_PASSWORD'), required('HILUM_ADMINISTRATOR'));
  await page.getByRole('link', { name: 'Accounts' }).click();
  await expect(rows(page).first()).toBeVisible();
  await page.getByLabel('User name').fill(NAME);
  await page.getByRole('region', { name: 'New account' }).getByLabel('Role').selectOption('auditor');
  await page.getByRole('region', { name: 'New account' }).getByLabel('Sites, separated by commas').fill('St Mary, St John');
  await page.getByLabel('First password').fill(required('HILUM_PASSWORD'));
  await page.getByRole('button', { name: 'Add' }).click();
  const row = rows(page).filter({ hasText: NAME });
  await expect(row).toContainText('St John, St Mary');

  await page.getByRole('button', { name: NAME, exact: true }).click();
  const panel = page.getByTestId('account-panel');
  await panel.getByLabel('Role').selectOption('lead_reviewer');
  await panel.getByLabel('Every site').check();
  await panel.getByLabel('Switched off').check();
  await picture(page, 'accounts');
  const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']).analyze();
  expect(violations.map(({ id, nodes }) => `${id} at ${nodes.map(({ target }) => target.join(' ')).join(', ')}`)).toEqual([]);
  await panel.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText(`${NAME} is changed.`)).toBeVisible();
  await expect(row).toContainText('lead reviewer');
  await expect(row).toContainText('every site');
  await expect(row).toContainText('switched off');

  const keys = page.getByRole('region', { name: 'Keys of programs' });
  await keys.getByLabel('What will use it').fill('archive');
  await keys.getByLabel('audit log').check();
  await keys.getByLabel('Every site').check();
  await keys.getByRole('button', { name: 'Make a key' }).click();
  const secret = await page.getByTestId('api-key').innerText();
  const headers = { authorization: `Bearer ${secret}` };
  expect((await page.request.get('/api/v1/audit', { headers })).status()).toBe(200);
  expect((await page.request.get('/api/v1/results', { headers })).status()).toBe(403);
  await picture(page, 'api-keys');
  await keys.getByRole('button', { name: 'Revoke the key of archive' }).click();
  await expect(keys.getByText('revoked')).toBeVisible();
  expect((await page.request.get('/api/v1/audit', { headers })).status()).toBe(401);
  await page.setViewportSize({ width: 820, height: 1180 });
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(over).toBeLessThanOrEqual(0);
  expect(complaints).toEqual([]);
});
