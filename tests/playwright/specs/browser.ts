// What every test needs: a page whose console must stay clean, signing in, fingerprints of the film, pictures.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test as base, expect, type Locator, type Page } from '@playwright/test';
import { required } from '../environment';

export { expect } from '@playwright/test';

/** `complaints` collects errors of the browser's console; a test that leaves one there fails. */
export const test = base.extend<{ complaints: string[] }>({
  complaints: [
    async ({ page }, use) => {
      const complaints: string[] = [];
      page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
      });
      page.on('pageerror', (error) => complaints.push(error.message));
      await use(complaints);
      expect(complaints, 'errors in the browser’s console').toEqual([]);
    },
    { auto: true },
  ],
});

export async function enter(page: Page, password = required('HILUM_PASSWORD')): Promise<void> {
  await page.goto('/');
  await page.getByLabel('User name').fill(required('HILUM_USER'));
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

export async function signIn(page: Page): Promise<void> {
  await enter(page);
  await expect(page.getByRole('heading', { name: 'Work list' })).toBeVisible();
}

export const rows = (page: Page): Locator => page.locator('table.results tbody tr');

/** Opens the first study that the model read and whose image is there. */
export async function openStudy(page: Page): Promise<string> {
  await page.goto('/');
  const read = rows(page).filter({ has: page.locator('.probability') });
  await expect(read.first()).toBeVisible();
  const id = (await read.first().getAttribute('data-id')) ?? '';
  await read.first().click();
  await expect(page).toHaveURL(new RegExp(`/results/${id}$`));
  await expect(page.getByTestId('film')).toBeVisible();
  await settled(page);
  return id;
}

/** What the film shows: a fingerprint (FNV-1a) of its pixels, and how many different greys there are. */
async function look(page: Page): Promise<{ print: number; greys: number }> {
  return page.getByTestId('film').evaluate((element) => {
    const { width, height } = element as HTMLCanvasElement;
    // Read from a copy: reading the film itself would move it out of the graphics card.
    const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    if (copy === null) throw new Error('no drawing surface');
    copy.drawImage(element as HTMLCanvasElement, 0, 0);
    const { data } = copy.getImageData(0, 0, width, height);
    let print = 0x811c9dc5;
    const greys = new Set<number>();
    data.forEach((byte, i) => {
      print = Math.imul(print ^ byte, 0x01000193);
      if (i % 4 === 0) greys.add(byte);
    });
    return { print: print >>> 0, greys: greys.size };
  });
}

/** The film's greys as drawn, one a pixel. */
export async function greys(page: Page): Promise<{ width: number; height: number; values: number[] }> {
  return page.getByTestId('film').evaluate((element) => {
    const { width, height } = element as HTMLCanvasElement;
    const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    if (copy === null) throw new Error('no drawing surface');
    copy.drawImage(element as HTMLCanvasElement, 0, 0);
    const { data } = copy.getImageData(0, 0, width, height);
    return { width, height, values: Array.from({ length: width * height }, (_, i) => data[i * 4] ?? 0) };
  });
}

/** A fingerprint of the film as drawn. */
export async function fingerprint(page: Page): Promise<number> {
  return (await look(page)).print;
}

/** Waits until something is drawn and two frames look the same. */
export async function settled(page: Page): Promise<number> {
  let last = -1;
  await expect
    .poll(async () => {
      // A blank or broken film has one grey, or two.
      const { print, greys } = await look(page);
      const still = greys > 8 && print === last;
      last = print;
      return still;
    })
    .toBe(true);
  return last;
}

/** Keeps a picture of the page where a folder is given for it. */
export async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env.HILUM_SCREENSHOTS;
  if (folder === undefined || folder === '') return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}
