// What an open page is told, without anybody asking for it.
import { expect, rows, signIn, test } from './browser';

test('the work list follows what changes elsewhere, as it changes', async ({ page }) => {
  await signIn(page);
  await expect(page.getByTestId('reach')).toHaveText(', at each change');
  const id = (await rows(page).first().getAttribute('data-id')) ?? '';
  const { csrf } = (await (await page.request.get('/api/v1/session')).json()) as { csrf: string };
  // Told of nothing, the page would ask in two minutes: long after this test has given up.
  const asked = page.waitForResponse((answer) => answer.url().includes('/api/v1/results?') && answer.ok());
  const given = await page.request.post(`/api/v1/results/${id}/verdicts`, { headers: { 'x-hilum-csrf': csrf }, data: { verdict: 'agree' } });
  expect(given.status()).toBe(201);
  const list = (await (await asked).json()) as { items: { id: string; verdict: string | null }[] };
  expect((await asked).request().headers()['x-hilum-unattended']).toBe('1');
  expect(list.items.find((item) => item.id === id)?.verdict ?? 'on another page').not.toBeNull();
});
