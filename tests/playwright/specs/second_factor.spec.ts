// Setting up a second factor, signing in with it, losing the phone, and giving it up; with an authenticator app made here
// from RFC 6238.
import { createHmac } from 'node:crypto';
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { required } from '../environment';
import { enter, expect, picture, test } from './browser';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** RFC 4648's base32. */
function decoded(text: string): Buffer {
  const bits = [...text].map((letter) => ALPHABET.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

/** What an app shows in a step of 30 s. */
function code(secret: Buffer, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const tag = createHmac('sha1', secret).update(counter).digest();
  const offset = (tag[19] ?? 0) & 15;
  return String((tag.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

async function enterAs(page: Page): Promise<void> {
  await enter(page, required('HILUM_PASSWORD'), required('HILUM_FACTOR_USER'));
}

/** The browser reports each refused request: those that are meant here, and what a page asks while its session ends. */
function refusalsOnly(complaints: string[], statuses: RegExp): void {
  for (const words of complaints.splice(0)) expect(words).toMatch(statuses);
}

/** The page loads itself anew then; whoever goes on before that breaks it off. */
async function signOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByLabel('User name')).toBeVisible();
}

async function passes(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']).analyze();
  expect(violations.map(({ id, nodes }) => `${id} at ${nodes.map(({ target }) => target.join(' ')).join(', ')}`)).toEqual([]);
}

async function giveCode(page: Page, given: string): Promise<void> {
  await page.getByLabel('Code', { exact: true }).fill(given);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

test('a second factor is set up, asked for, good once, and given up', async ({ page, complaints }) => {
  await enterAs(page);
  await page.getByRole('link', { name: /two-factors/ }).click();
  await page.getByLabel('Your password').fill(required('HILUM_PASSWORD'));
  await page.getByRole('button', { name: 'Set up' }).click();
  await expect(page.getByRole('img', { name: /QR code/ })).toBeVisible();
  await picture(page, 'second-factor');
  await passes(page);
  const secret = decoded((await page.getByTestId('factor-secret').innerText()).replaceAll(' ', ''));
  // The gateway takes the step before and after its own: a test that crosses into the next step goes on.
  const step = Math.floor(Date.now() / 30_000);
  await page.getByLabel('Code from the app').fill(code(secret, step));
  await page.getByRole('button', { name: 'Confirm' }).click();
  await expect(page.locator('.codes li')).toHaveCount(10);
  const [recovery = '', another = ''] = await page.locator('.codes li').allInnerTexts();
  await passes(page);
  await page.getByRole('button', { name: 'I have kept them' }).click();
  await expect(page.getByText('Recovery codes left: 10')).toBeVisible();
  await picture(page, 'account');
  await signOut(page);

  await enterAs(page);
  await expect(page.getByLabel('Code', { exact: true })).toBeFocused();
  await picture(page, 'sign-in-code');
  await passes(page);
  await giveCode(page, code(secret, step));
  await expect(page.getByRole('alert')).toContainText('was used before');
  refusalsOnly(complaints, /401/);
  await giveCode(page, code(secret, step + 1));
  await expect(page.getByRole('heading', { name: 'Work list' })).toBeVisible();
  await signOut(page);

  // The phone is lost.
  await enterAs(page);
  await giveCode(page, recovery);
  await expect(page.getByRole('heading', { name: 'Work list' })).toBeVisible();
  await page.goto('/account');
  await expect(page.getByText('Recovery codes left: 9')).toBeVisible();
  await page.getByLabel('Code from the app, or a recovery code').fill(recovery);
  await page.getByRole('button', { name: 'Remove' }).click();
  await expect(page.getByRole('alert')).toContainText('wrong, or was used before');
  refusalsOnly(complaints, /401|403/);
  await page.getByLabel('Code from the app, or a recovery code').fill(another);
  await page.getByRole('button', { name: 'Remove' }).click();
  await expect(page.getByRole('button', { name: 'Set up' })).toBeVisible();
});

test('who leaves the screen is signed out, and it is cleared', async ({ page, complaints }) => {
  await page.clock.install();
  await enter(page);
  await expect(page.getByRole('heading', { name: 'Work list' })).toBeVisible();
  await page.clock.fastForward('29:00');
  await expect(page.getByRole('heading', { name: 'Work list' })).toBeVisible();
  await page.mouse.move(5, 5);
  await page.clock.fastForward('29:00');
  await expect(page.getByRole('heading', { name: 'Work list' })).toBeVisible();
  await page.clock.fastForward('02:00');
  await expect(page.getByText('because nobody used this page')).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Work list' })).toHaveCount(0);
  await expect.poll(async () => (await page.request.get('/api/v1/results')).status()).toBe(401);
  refusalsOnly(complaints, /401/);
});
