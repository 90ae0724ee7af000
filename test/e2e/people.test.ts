/** Meeting people in real Chromium: bands of distance, taking a pass back, blocking and unblocking. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser } from '../support/browser.ts';
import type { Person } from '../support/client.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { picture } from '../support/images.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { newPerson, TEST_PASSWORD } from '../support/signedIn.ts';

/** What of the DOM is used in the page. */
declare const document: { activeElement: { getAttribute(name: string): string | null } | null };

let database: TestDatabase;
let server: TestServer;
let browser: Browser;

beforeAll(async () => {
  database = await createTestDatabase();
  server = await startServer({ DB_URL: database.url, SEED_DEMO: 'false' });
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
  await database?.drop();
});

/** Every try has people in a place of its own. */
let towns = 0;

async function town(): Promise<{ ann: Person; others: Person[] }> {
  towns += 1;
  const location = { lat: 10 * towns, lon: 15 };
  const [ann, ...others] = await Promise.all(
    ['Ann', 'Bob', 'Cem'].map((displayName) => newPerson(server, { displayName })),
  );
  for (const person of [ann!, ...others]) {
    await person.ok('PUT', '/users/me', { location });
    await person.ok('PATCH', '/users/me/preferences', { maxDistanceKm: 30 });
  }
  const image = await picture(towns);
  await fetch(`${server.url}/api/v1/users/me/photos`, {
    method: 'POST',
    headers: { authorization: `Bearer ${others[0]!.token}`, 'content-type': 'image/jpeg' },
    body: new Uint8Array(image),
  });
  return { ann: ann!, others };
}

async function openAs(person: Person): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(server.url);
  const form = page.getByTestId('sign-in');
  await form.locator('[name=email]').fill(person.email);
  await form.locator('[name=password]').fill(TEST_PASSWORD);
  await form.locator('[type=submit]').click();
  await page.getByTestId('card').waitFor();
  return page;
}

const onTop = (page: Page) => page.getByTestId('card').getAttribute('data-user-id');
const listed = async (person: Person) =>
  (await person.ok('GET', '/users/discovery?limit=50')).items.map((card: { id: string }) => card.id).sort();

test('a pass is taken back on the page and on the server', async () => {
  const { ann, others } = await town();
  const ids = others.map((person) => person.id).sort();
  const page = await openAs(ann);
  expect(await page.getByTestId('card').getByTestId('card-distance').textContent()).toMatch(/within \d+ km/);
  const first = await onTop(page);
  await page.getByTestId('card-pass').click();
  await eventually(() => onTop(page)).not.toBe(first);
  await eventually(() => listed(ann)).toEqual(ids.filter((id) => id !== first));
  await page.getByTestId('card-undo').click();
  await eventually(() => onTop(page)).toBe(first);
  expect(await listed(ann)).toEqual(ids);

  // The very last one as well, when no card is left.
  await page.getByTestId('card-pass').click();
  await eventually(() => onTop(page)).not.toBe(first);
  const last = await onTop(page);
  await page.getByTestId('card-pass').click();
  await page.getByTestId('deck-empty').getByTestId('card-undo').click();
  await eventually(() => onTop(page)).toBe(last);
  await eventually(() => listed(ann)).toEqual([last]);
  await page.close();
});

test('the keys of the browser decide on nobody, nor does one that is held down', async () => {
  const { ann } = await town();
  const page = await openAs(ann);
  const first = await onTop(page);
  const flight = () => page.getByTestId('card').getAttribute('data-flight');
  for (const key of ['Alt+ArrowLeft', 'Control+ArrowRight', 'Meta+ArrowLeft', 'Shift+ArrowRight']) {
    await page.keyboard.press(key);
    expect(await flight(), key).toBe(null);
    expect(await onTop(page), key).toBe(first);
  }
  await page.keyboard.down('ArrowLeft');
  await eventually(() => onTop(page)).not.toBe(first);
  const second = await onTop(page);
  await page.keyboard.down('ArrowLeft');
  expect(await flight()).toBe(null);
  expect(await onTop(page)).toBe(second);
  await page.close();
});

test('who closes a dialog goes on where they were, by the keyboard', async () => {
  const { ann } = await town();
  const page = await openAs(ann);
  const hasFocus = (testId: string) =>
    eventually(() => page.evaluate(() => document.activeElement?.getAttribute('data-testid'))).toBe(testId);
  await page.getByTestId('card').getByTestId('person-menu').focus();
  await page.keyboard.press('Enter');
  await hasFocus('person-report');
  await page.keyboard.press('Escape');
  await hasFocus('person-menu');
  await page.getByTestId('nav-you').first().click();
  await page.getByTestId('delete-account').focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await hasFocus('delete-account');
  await page.close();
});

test('who pauses on the page is shown to nobody new, until they go on', async () => {
  const { ann, others } = await town();
  const [bob] = others as [Person, Person];
  const page = await openAs(ann);
  await page.getByTestId('nav-you').first().click();
  for (const isPaused of [true, false]) {
    await page.getByTestId('pause').setChecked(isPaused);
    await page.getByTestId('preferences-save').click();
    await eventually(async () => (await listed(bob)).includes(ann.id)).toBe(!isPaused);
    await page.reload();
    await page.getByTestId('pause').waitFor();
    expect(await page.getByTestId('pause').isChecked()).toBe(isPaused);
  }
  await page.close();
});

test('what the page says stays while it is pointed at, and then goes', async () => {
  const { ann } = await town();
  const page = await openAs(ann);
  await page.getByTestId('nav-you').first().click();
  await page.clock.install();
  await page.getByTestId('preferences-save').click();
  const toast = page.getByTestId('toast');
  await toast.hover();
  await page.clock.runFor(60_000);
  expect(await toast.count()).toBe(1);
  await page.mouse.move(0, 0);
  await page.clock.runFor(60_000);
  expect(await toast.count()).toBe(0);
  await page.close();
});

test('of several photos those that could be taken are shown', async () => {
  const { ann } = await town();
  const page = await openAs(ann);
  await page.getByTestId('nav-you').first().click();
  await page.getByTestId('photo-input').setInputFiles([
    { name: 'one.jpg', mimeType: 'image/jpeg', buffer: await picture(7) },
    { name: 'two.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no picture') },
  ]);
  await page.getByTestId('toast').filter({ hasText: 'no picture that works' }).waitFor();
  await page.getByTestId('own-photo').waitFor();
  expect(await page.getByTestId('own-photo').count()).toBe(1);
  await page.close();
});

test('who is blocked is gone for both, stands in the list, and is back when unblocked', async () => {
  const { ann, others } = await town();
  const ids = others.map((person) => person.id).sort();
  const page = await openAs(ann);
  const blockedId = (await onTop(page))!;
  const blocked = others.find((person) => person.id === blockedId)!;
  await page.getByTestId('card').getByTestId('person-menu').click();
  await page.getByTestId('person-block').click();
  await eventually(() => onTop(page)).toBe(ids.find((id) => id !== blockedId));
  expect(await listed(ann)).toEqual(ids.filter((id) => id !== blockedId));
  expect(await listed(blocked)).not.toContain(ann.id);

  await page.getByTestId('nav-you').first().click();
  const entry = page.getByTestId('blocked').locator(`[data-user-id="${blockedId}"]`);
  await entry.getByTestId('unblock').click();
  await entry.waitFor({ state: 'detached' });
  await eventually(() => listed(blocked)).toContain(ann.id);
  await page.getByTestId('nav-discover').first().click();
  await page.getByTestId('card').waitFor();
  const shown = new Set([await onTop(page)]);
  await page.getByTestId('card-pass').click();
  await eventually(() => onTop(page)).not.toBe([...shown][0]);
  shown.add(await onTop(page));
  expect([...shown].sort()).toEqual(ids);
  await page.close();
});
