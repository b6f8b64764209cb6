// Two readers and a lead: the second sees nothing of the first's verdict, the lead decides where they differ, and how far readers
// agree is counted.
import { readFile } from 'node:fs/promises';
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, Locator, Page } from '@playwright/test';
import { required } from '../environment';
import { expect, picture, signIn, test } from './browser';

const history = (page: Page): Locator => page.getByRole('list', { name: /Verdicts given/ }).getByRole('listitem');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

async function accessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`)).toEqual([]);
}

/** Another person at another browser, with the same password. */
async function person(browser: Browser, username: string, options: { colorScheme?: 'dark'; viewport?: { width: number; height: number } } = {}): Promise<Page> {
  const page = await (await browser.newContext({ baseURL: required('HILUM_URL'), ...options })).newPage();
  await page.goto('/');
  await page.getByLabel('User name').fill(username);
  await page.getByLabel('Password').fill(required('HILUM_PASSWORD'));
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { name: 'Work list' })).toBeVisible();
  return page;
}

test('a blinded second reading, a disagreement, and a lead who decides', async ({ page, browser }) => {
  test.setTimeout(150_000);
  await signIn(page);
  // One that nobody has read: the last of the list is left alone by the other tests.
  const { items } = (await (await page.request.get('/api/v1/results?reviewed=false&sort=received&reverse=true')).json()) as { items: { id: string }[] };
  const id = items[0]?.id ?? '';
  await page.goto(`/results/${id}`);
  await page.getByRole('button', { name: 'Ask for a second reading' }).click();
  await expect(page.getByText('A second reading was asked for.')).toBeVisible();
  const secret = `only the first reader wrote this ${id}`;
  await page.getByLabel(/^Note/).fill(secret);
  await page.getByRole('button', { name: /^.? ?Agree/ }).click();
  await expect(page.getByText('This film awaits a second reader')).toBeVisible();

  const second = await person(browser, required('HILUM_SECOND'), { colorScheme: 'dark', viewport: { width: 820, height: 1180 } });
  await second.goto('/?second_reading=awaiting');
  await second.locator(`tr[data-id="${id}"]`).click();
  await expect(second.getByText('You are the second reader of this film.')).toBeVisible();
  await expect(second.getByText('The first reader’s verdict is hidden from you.')).toBeVisible();
  await expect(history(second)).toHaveCount(0);
  expect(await second.content()).not.toContain(secret);
  await accessible(second);
  await picture(second, 'second-reading-blind');
  await second.keyboard.press('d');
  await second.keyboard.press('Enter');
  await expect(second.getByText('Two readers differ. A lead reviewer who was neither of them decides.')).toBeVisible();
  await expect(history(second)).toHaveCount(2);
  await expect(second.getByText(secret)).toBeVisible();
  await expect(second.getByRole('button', { name: 'Undo this verdict' })).toHaveCount(0);
  await expect(second.getByRole('button', { name: 'Unreadable film' })).toHaveCount(0);

  const lead = await person(browser, required('HILUM_LEAD'));
  await lead.goto('/?second_reading=discordant');
  await lead.locator(`tr[data-id="${id}"]`).click();
  await expect(lead.getByText('your verdict decides')).toBeVisible();
  await accessible(lead);
  await picture(lead, 'adjudication');
  await lead.getByRole('button', { name: 'Uncertain' }).click();
  await expect(history(lead).first()).toContainText('decides');
  await expect(history(lead).first()).toContainText('counts');
  await expect(lead.getByText('a lead reviewer has decided')).toBeVisible();

  await lead.getByRole('link', { name: 'Readers' }).click();
  const line = lead.locator('table.results tbody tr').filter({ hasText: required('HILUM_SECOND') });
  await expect(line.first()).toBeVisible();
  await accessible(lead);
  await picture(lead, 'agreement');
  const coming = lead.waitForEvent('download');
  await lead.getByRole('link', { name: 'as a table (CSV)' }).click();
  const table = await coming;
  expect(table.suggestedFilename()).toBe('verdicts.csv');
  const text = await readFile(await table.path(), 'utf8');
  expect(text.split('\r\n').filter((row) => row.includes(id))).toHaveLength(3);
  for (const name of [secret, required('HILUM_SECOND')]) expect(text).not.toContain(name);
  for (const one of [second, lead]) await one.context().close();
});
