// A reviewer's way through the dashboard, from signing in to finding her verdict in the audit log.
import { required } from '../environment';
import { enter, expect, fingerprint, greys, openStudy, picture, rows, settled, signIn, test } from './browser';

test('a wrong password is refused, in words, and opens nothing', async ({ page, complaints }) => {
  await enter(page, `${required('HILUM_PASSWORD')}-wrong`);
  await expect(page.getByRole('alert')).toContainText('User name or password is wrong');
  await expect(page.getByRole('heading', { name: 'Work list' })).toHaveCount(0);
  const cookies = await page.context().cookies();
  expect(cookies.filter(({ name }) => name === 'hilum_session')).toEqual([]);
  // The browser itself reports the refused request; that one line is right to be there.
  expect(complaints.splice(0)).toEqual([expect.stringContaining('401')]);
});

test('the session’s cookie is out of reach of scripts, and signing out ends it', async ({ page }) => {
  await page.goto('/');
  await picture(page, 'sign-in');
  await signIn(page);
  const cookie = (await page.context().cookies()).find(({ name }) => name === 'hilum_session');
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict' });
  await page.reload();
  await expect(page.getByRole('heading', { name: 'Work list' })).toBeVisible();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByLabel('Password')).toBeVisible();
  expect((await page.request.get('/api/v1/results')).status()).toBe(401);
});

test('the work list shows every result in words, and filters them', async ({ page }) => {
  await signIn(page);
  await expect(rows(page).first()).toBeVisible();
  await expect(page.getByText('Not a medical device. Not for diagnosis.')).toBeVisible();
  await page.keyboard.press('j');
  await expect(rows(page).first()).toHaveAttribute('aria-current', 'true');
  await picture(page, 'work-list');

  await page.getByText('Not seen', { exact: true }).click();
  await expect(page).toHaveURL(/finding=negative/);
  await expect(page.locator('td.finding.positive')).toHaveCount(0);

  await page.goto('/?finding=none');
  const found = rows(page).or(page.getByRole('heading', { name: 'No result matches this filter' }));
  await expect(found.first()).toBeVisible();
  for (const row of await rows(page).all()) {
    await expect(row.locator('td.finding')).toHaveText(/^(Not assessed|Unreadable)$/);
    await expect(row.locator('.reason')).toHaveText(/\w.*\.$/);
  }
});

test('the window changes the film, by dragging, by number and by preset', async ({ page }) => {
  await signIn(page);
  await openStudy(page);
  const delivered = await settled(page);
  const [centre, width] = [page.getByRole('spinbutton', { name: 'Centre' }), page.getByRole('spinbutton', { name: 'Width' })];
  const before = [await centre.inputValue(), await width.inputValue()];

  const box = await page.getByTestId('film').boundingBox();
  if (box === null) throw new Error('the film has no place on the page');
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2 + 90, box.y + box.height / 2 + 60, { steps: 6 });
  await page.mouse.up();
  expect([await centre.inputValue(), await width.inputValue()]).not.toEqual(before);
  const dragged = await settled(page);
  expect(dragged).not.toBe(delivered);

  await width.fill('64');
  await width.press('Enter');
  const narrow = await settled(page);
  expect(narrow).not.toBe(dragged);

  await page.getByLabel('Window preset').selectOption('delivered');
  await expect.poll(() => fingerprint(page)).toBe(delivered);

  await page.getByRole('button', { name: 'Invert' }).click();
  await expect.poll(() => fingerprint(page)).not.toBe(delivered);
  await page.getByRole('button', { name: 'Zoom in' }).click();
  await page.getByRole('button', { name: 'Reset' }).click();
  await expect.poll(() => fingerprint(page)).toBe(delivered);
});

test('at 1:1 every screen pixel is the stored sample under the transform', async ({ page }) => {
  await signIn(page);
  const id = await openStudy(page);
  await page.getByLabel('Window preset').selectOption('full');
  await page.getByRole('button', { name: '1:1' }).click();
  await settled(page);
  const { image } = (await (await page.request.get(`/api/v1/results/${id}`)).json()) as { image: { rows: number; columns: number; invert: boolean } };
  const stored = await (await page.request.get(`/api/v1/results/${id}/image`)).body();
  const sample = (row: number, column: number): number => stored.readUInt16LE(2 * (row * image.columns + column));
  let [least, most] = [65_535, 0];
  for (let i = 0; i < stored.length; i += 2) [least, most] = [Math.min(least, stored.readUInt16LE(i)), Math.max(most, stored.readUInt16LE(i))];

  const drawn = await greys(page);
  const [left, top] = [Math.round((drawn.width - image.columns) / 2), Math.round((drawn.height - image.rows) / 2)];
  let compared = 0;
  const wrong: string[] = [];
  for (let y = 0; y < drawn.height; y += 3) {
    for (let x = 0; x < drawn.width; x += 3) {
      const [row, column] = [y - top, x - left];
      if (row < 0 || column < 0 || row >= image.rows || column >= image.columns) continue;
      const grey = Math.floor(((sample(row, column) - least) / (most - least)) * 255 + 0.5);
      const [wanted, seen] = [image.invert ? 255 - grey : grey, drawn.values[y * drawn.width + x] ?? -1];
      if (wanted !== seen) wrong.push(`row ${row}, column ${column}: ${wanted} wanted, ${seen} drawn`);
      compared++;
    }
  }
  expect(compared).toBeGreaterThan(1000);
  expect(wrong.slice(0, 5)).toEqual([]);
});

test('the evidence layer comes, fades and goes without loading anything', async ({ page }) => {
  await signIn(page);
  await openStudy(page);
  const bare = await settled(page);
  await picture(page, 'study');
  const requests: string[] = [];
  page.on('request', (request) => requests.push(request.url()));

  const layer = page.getByRole('switch', { name: 'Model’s evidence' });
  await layer.click();
  await expect.poll(() => fingerprint(page)).not.toBe(bare);
  const shown = await settled(page);
  await expect(page.getByText('not an outline of disease')).toBeVisible();
  await picture(page, 'study-evidence');

  await page.getByLabel('Opacity').fill('0.9');
  await expect.poll(() => fingerprint(page)).not.toBe(shown);
  await layer.click();
  await expect.poll(() => fingerprint(page)).toBe(bare);
  expect(requests).toEqual([]);
});

test('a verdict is kept, counts, can be changed, and stands in the audit log', async ({ page }) => {
  await signIn(page);
  const id = await openStudy(page);
  await expect(page.getByText(/The model gives .+ % for pneumonia\./)).toBeVisible();
  await expect(page.getByText(/that point found \d+ of 1?,?\d+ pneumonias/)).toBeVisible();
  const history = page.getByRole('list', { name: /Verdicts given/ }).getByRole('listitem');
  const had = await history.count();

  const note = `seen by the test of ${new Date().toISOString()}`;
  await page.getByLabel(/^Note/).fill(note);
  await page.getByRole('button', { name: /Disagree/ }).click();
  await expect(page.getByText('Your verdict is on record.')).toBeVisible();
  await expect(history).toHaveCount(had + 1);
  await expect(history.first()).toContainText(note);
  await expect(history.first()).toContainText(required('HILUM_USER'));

  await page.getByRole('button', { name: /^.? ?Agree/ }).click();
  await expect(history).toHaveCount(had + 2);
  await page.reload();
  await expect(history).toHaveCount(had + 2);
  await expect(history.first()).toContainText('counts');
  await expect(history.nth(1)).toContainText(note);
  await settled(page);
  await picture(page, 'verdict');

  await page.getByRole('link', { name: 'Audit log' }).click();
  const entry = rows(page).filter({ hasText: 'verdict.given' }).first();
  await expect(entry).toContainText(required('HILUM_USER'));
  await expect(entry.getByRole('link')).toHaveAttribute('href', `/results/${id}`);
  await expect(rows(page).filter({ hasText: 'result.viewed' }).first()).toBeVisible();
  await picture(page, 'audit');

  await page.goto('/?reviewed=true');
  await expect(page.locator(`tr[data-id="${id}"]`)).toContainText('Agreed');
});

test('the keyboard reaches everything, and says so', async ({ page }) => {
  await signIn(page);
  await expect(rows(page).first()).toBeVisible();
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/results\//);
  await settled(page);
  await page.keyboard.press('?');
  const help = page.getByRole('dialog');
  await expect(help).toContainText('Next study');
  await picture(page, 'keys');
  await page.keyboard.press('Escape');
  await expect(help).toBeHidden();
  await page.keyboard.press('a');
  await expect(page.getByRole('button', { name: /^.? ?Agree/ })).toBeFocused();
  await page.keyboard.press('u');
  await expect(page.getByRole('heading', { name: 'Work list' })).toBeVisible();
});

test('the devices that sent the results are listed', async ({ page }) => {
  await signIn(page);
  await page.getByRole('link', { name: 'Devices' }).click();
  await expect(rows(page).first()).toBeVisible();
  await picture(page, 'devices');
  await rows(page).first().getByRole('link').click();
  await expect(page).toHaveURL(/\?device=/);
  await expect(page.getByRole('button', { name: /^Device/ })).toBeVisible();
});
