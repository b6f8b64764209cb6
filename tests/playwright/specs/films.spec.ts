// Films that come late, broken, ahead or one after the other: each is shown under its own study's name or not at all.
import type { Page } from '@playwright/test';
import { expect, filmOf, fingerprint, openStudy, rows, settled, signIn, test } from './browser';

/** The ids of the first studies that the model read and whose image is there, in the order of the work list. */
async function read(page: Page, count: number): Promise<string[]> {
  const lines = rows(page).filter({ has: page.locator('.probability') });
  await expect(lines.nth(count - 1)).toBeVisible();
  const ids = await lines.evaluateAll((found) => found.map((row) => row.getAttribute('data-id') ?? ''));
  return ids.slice(0, count);
}

const open = async (page: Page, id: string): Promise<void> => page.locator(`tr[data-id="${id}"]`).click();

/** Holds back what is asked for at an address until it is let through. */
async function held(page: Page, address: string): Promise<() => void> {
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  await page.route(address, async (route) => {
    await gate;
    // Nobody waits any more for what was cancelled.
    await route.continue().catch(() => undefined);
  });
  return release;
}

test('a slow film of one study is never painted under another’s name', async ({ page }) => {
  await signIn(page);
  const [slow = '', next = ''] = await read(page, 2);
  const release = await held(page, `**/results/${slow}/image`);
  await open(page, slow);
  await expect(page.getByText('Loading the image…')).toBeVisible();
  await page.keyboard.press('j');
  await filmOf(page, next);
  const own = await settled(page);
  const late = page.waitForEvent('requestfinished', (request) => request.url().endsWith(`${slow}/image`));
  release();
  await late;
  await settled(page);
  expect(page.url()).toContain(next);
  await filmOf(page, next);
  expect(await fingerprint(page)).toBe(own);
  // It is another picture: had it been painted, it would have been seen.
  await page.keyboard.press('k');
  await filmOf(page, slow);
  expect(await settled(page)).not.toBe(own);
});

test('the next films are there before they are asked for, and nobody has looked at them', async ({ page }) => {
  await signIn(page);
  const [first = '', second = '', third = ''] = await read(page, 3);
  const looks = async (id: string): Promise<number> => {
    const { items } = (await (await page.request.get('/api/v1/audit?limit=200')).json()) as { items: { action: string; subject: string }[] };
    return items.filter(({ action, subject }) => action === 'result.viewed' && subject === id).length;
  };
  const before = await looks(third);
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  const ahead = Promise.all([second, third].map((id) => page.waitForEvent('requestfinished', (request) => request.url().endsWith(`${id}/image`))));
  await open(page, first);
  await filmOf(page, first);
  await ahead;
  expect(await looks(third)).toBe(before);

  asked.length = 0;
  await page.keyboard.press('j');
  await filmOf(page, second);
  expect(asked).toContain(`/api/v1/results/${second}`);
  expect(asked.filter((path) => path.startsWith(`/api/v1/results/${second}/`))).toEqual([]);
  await settled(page);
});

test('what is loaded ahead is given up when the reader leaves', async ({ page }) => {
  await signIn(page);
  const [first = '', second = ''] = await read(page, 2);
  const release = await held(page, `**/results/${second}/image`);
  const asked = page.waitForRequest((request) => request.url().endsWith(`${second}/image`));
  await open(page, first);
  await filmOf(page, first);
  await asked;
  const givenUp = page.waitForEvent('requestfailed', (request) => request.url().endsWith(`${second}/image`));
  await page.keyboard.press('u');
  await givenUp;
  release();
});

test('thirty studies later one engine and one image are held', async ({ page }) => {
  test.setTimeout(180_000);
  await signIn(page);
  await openStudy(page);
  for (let n = 0; n < 30; n++) {
    const from = page.url();
    await page.keyboard.press(n % 6 < 3 ? 'j' : 'k');
    await expect(page).not.toHaveURL(from);
    const id = new URL(page.url()).pathname.split('/').at(-1) ?? '';
    const { image } = (await (await page.request.get(`/api/v1/results/${id}`)).json()) as { image: { rows: number; columns: number } | null };
    if (image === null) continue;
    await filmOf(page, id);
    await expect(page.getByTestId('film')).toHaveAttribute('data-engines', '1');
    // The greys of the film that is shown, a byte each, and nothing of those before it.
    await expect(page.getByTestId('film')).toHaveAttribute('data-held-bytes', String(image.rows * image.columns));
  }
});

test('half an image is no film: it says so, and comes whole at another try', async ({ page }) => {
  await signIn(page);
  const [id = ''] = await read(page, 1);
  await page.route(`**/results/${id}/image`, async (route) => {
    const answer = await route.fetch();
    const body = await answer.body();
    await route.fulfill({ response: answer, body: body.subarray(0, body.length / 2), headers: { 'content-type': 'application/octet-stream' } });
  });
  await open(page, id);
  await expect(page.getByRole('alert')).toContainText('The film is not shown. The image is incomplete');
  await expect(page.getByTestId('film')).toHaveCount(0);
  await page.unrouteAll();
  await page.getByRole('button', { name: 'Try again' }).click();
  await filmOf(page, id);
  await settled(page);
});

test('an image that the gateway has lost is told in its words', async ({ page, complaints }) => {
  await signIn(page);
  const [id = ''] = await read(page, 1);
  const problem = { type: 'about:blank', title: 'Not found', status: 404, detail: 'This result has no picture yet.' };
  await page.route(`**/results/${id}/image`, (route) => route.fulfill({ status: 404, contentType: 'application/problem+json', json: problem }));
  await open(page, id);
  await expect(page.getByRole('alert')).toContainText('This result has no picture yet.');
  await expect(page.getByTestId('film')).toHaveCount(0);
  // The browser itself reports the refused request; that one line is right to be there.
  expect(complaints.splice(0)).toEqual([expect.stringContaining('404')]);
});

test('a drawing surface that the browser took away is told, and drawn again', async ({ page }) => {
  await signIn(page);
  const id = await openStudy(page);
  const before = await settled(page);
  await page.locator('.glass canvas').dispatchEvent('contextlost');
  await expect(page.getByRole('alert')).toContainText('took its drawing surface away');
  await expect(page.getByTestId('film')).not.toHaveAttribute('data-result');
  await page.getByRole('button', { name: 'Draw it again' }).click();
  await filmOf(page, id);
  await expect(page.getByRole('alert')).toHaveCount(0);
  expect(await settled(page)).toBe(before);
});

test('a viewer that can’t be fetched says so, and leaves the rest of the study readable', async ({ page, complaints }) => {
  await signIn(page);
  const [id = ''] = await read(page, 1);
  await page.route('**/assets/presenter-*.js', (route) => route.abort());
  await open(page, id);
  await expect(page.getByRole('alert')).toContainText('could not be loaded');
  await expect(page.getByText(/The model gives .+ % for pneumonia\./)).toBeVisible();
  // The browser’s own words about the file that did not come.
  expect(complaints.splice(0).every((words) => words.includes('Failed to load resource'))).toBe(true);
});
