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

export async function enter(page: Page, password = required('HILUM_PASSWORD'), user = required('HILUM_USER')): Promise<void> {
  await page.goto('/');
  await page.getByLabel('User name').fill(user);
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
  await filmOf(page, id);
  await settled(page);
  return id;
}

/** Waits until a study's film is on the screen. */
export async function filmOf(page: Page, id: string): Promise<void> {
  await expect(page.getByTestId('film')).toHaveAttribute('data-result', id);
}

/** What the film's canvases show, one over the other: the bare film, or with the evidence. */
export async function pixels(page: Page, layers: string): Promise<{ width: number; height: number; data: Uint8ClampedArray }> {
  const read = await page.getByTestId('film').evaluate((stage, selector) => {
    const canvases = [...stage.querySelectorAll<HTMLCanvasElement>(selector)];
    const { width, height } = canvases[0] ?? { width: 1, height: 1 };
    // Read from a copy: reading the film itself would move it out of the graphics card.
    const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    if (copy === null) throw new Error('no drawing surface');
    for (const canvas of canvases) if (canvas.width > 0) copy.drawImage(canvas, 0, 0);
    const bytes = copy.getImageData(0, 0, width, height).data;
    let text = '';
    for (let i = 0; i < bytes.length; i += 32_768) text += String.fromCharCode(...bytes.subarray(i, i + 32_768));
    return { width, height, text: btoa(text) };
  }, layers);
  return { width: read.width, height: read.height, data: new Uint8ClampedArray(Buffer.from(read.text, 'base64')) };
}

/** What the film shows: a fingerprint (FNV-1a) of its pixels, and how many different greys there are. */
async function look(page: Page): Promise<{ print: number; greys: number }> {
  const { data } = await pixels(page, 'canvas');
  let print = 0x811c9dc5;
  const greys = new Set<number>();
  data.forEach((byte, i) => {
    print = Math.imul(print ^ byte, 0x01000193);
    if (i % 4 === 0) greys.add(byte);
  });
  return { print: print >>> 0, greys: greys.size };
}

/** The bare film's greys as drawn, one a pixel. A pixel that is not an opaque grey is -1. */
export async function greys(page: Page): Promise<{ width: number; height: number; values: Int16Array }> {
  const { width, height, data } = await pixels(page, '.glass canvas');
  const values = new Int16Array(width * height);
  for (let i = 0; i < values.length; i++) {
    const [r = 0, g = 0, b = 0, a = 0] = data.subarray(4 * i, 4 * i + 4);
    values[i] = r === g && g === b && a === 255 ? r : -1;
  }
  return { width, height, values };
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
