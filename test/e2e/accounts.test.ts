/** The page's doors in real Chromium: register, verify by the mail, sign in and out, forget the password and set another. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PASSWORD, registration, until } from '../support/accounts.ts';
import { openBrowser } from '../support/browser.ts';
import { type Json, request } from '../support/client.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { startServer, type TestServer } from '../support/server.ts';

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

/** The link in the newest mail whose subject fits. */
function mailedLink(email: string, subject: RegExp): Promise<string> {
  return until(async () => {
    const { body } = await request(server.url, 'GET', `/dev/mailbox?to=${encodeURIComponent(email)}`);
    const mail = body.items.find((item: Json) => subject.test(item.subject));
    return /https?:\/\/\S+token=\S+/.exec(mail?.text ?? '')?.[0];
  }, 'the mail');
}

async function signIn(page: Page, email: string, password: string): Promise<void> {
  await page.getByTestId('sign-in').locator('[name=email]').fill(email);
  await page.getByTestId('sign-in').locator('[name=password]').fill(password);
  await page.getByTestId('sign-in').locator('[type=submit]').click();
}

async function signOut(page: Page): Promise<void> {
  await page.getByTestId('nav-you').first().click();
  await page.getByTestId('sign-out').click();
  await page.getByTestId('sign-in').waitFor();
}

test('a newcomer registers, verifies, signs in, forgets the password and sets another', async () => {
  const person = registration();
  const page = await browser.newPage();
  const requested: string[] = [];
  page.on('request', (sent) => requested.push(sent.url()));
  await page.goto(server.url);
  await page.getByTestId('open-register').click();
  const form = page.getByTestId('register');
  for (const name of ['displayName', 'birthDate', 'email', 'password'] as const) {
    await form.locator(`[name=${name}]`).fill(person[name]);
  }
  await form.locator('[name=gender]').selectOption(person.gender);
  await form.locator('[type=submit]').click();
  await page.getByTestId('register-sent').waitFor();

  const verify = await mailedLink(person.email, /Verify/);
  expect(verify.startsWith(`${server.url}/verify-email?token=`)).toBe(true);
  // A server that is away says nothing of the link, which is not in the address bar any more to be opened again.
  await page.route('**/auth/verify-email', (route) => route.abort(), { times: 1 });
  await page.goto(verify);
  await page.getByText('The link could not be checked').waitFor();
  await page.getByText('Try again').click();
  await page.getByText('Your address is verified').waitFor();
  // The token does not stay in the address bar.
  expect(page.url()).toBe(`${server.url}/`);
  await page.getByTestId('mail-link-done').click();

  await signIn(page, person.email, 'not the password at all');
  await page.getByTestId('sign-in').getByRole('alert').waitFor();
  await signIn(page, person.email, PASSWORD);
  await signOut(page);

  await page.getByTestId('open-forgot').click();
  await page.getByTestId('forgot').locator('[name=email]').fill(person.email);
  await page.getByTestId('forgot').locator('[type=submit]').click();
  const reset = await mailedLink(person.email, /new password/);
  await page.goto(reset);
  const next = page.getByTestId('reset');
  await next.locator('[name=password]').fill('password123');
  await next.locator('[type=submit]').click();
  await next.getByRole('alert').waitFor();
  await next.locator('[name=password]').fill('another violet harbour');
  await next.locator('[type=submit]').click();
  await page.getByText('The new password is set').waitFor();
  await page.getByTestId('mail-link-done').click();

  await signIn(page, person.email, PASSWORD);
  await page.getByTestId('sign-in').getByRole('alert').waitFor();
  await signIn(page, person.email, 'another violet harbour');
  const elsewhere = await (await browser.newContext()).newPage();
  await elsewhere.goto(server.url);
  await signIn(elsewhere, person.email, 'another violet harbour');
  await elsewhere.getByTestId('nav-you').first().waitFor();
  await page.getByTestId('nav-you').first().click();
  await page.getByTestId('device').nth(1).waitFor();
  await page.getByTestId('device-sign-out').click();
  await elsewhere.getByTestId('sign-in').waitFor();
  expect(await elsewhere.getByTestId('toast').innerText()).toMatch(/signed out here/);
  // Whoever signs out by choice knows it.
  await signOut(page);
  expect(await page.getByTestId('toast').filter({ hasText: 'signed out here' }).count()).toBe(0);
  // Whoever is told of a visit to the link is told its token: only the server itself is.
  for (const url of requested.filter((one) => /^https?:/.test(one)))
    expect(url.startsWith(server.url), url).toBe(true);
});

test('the link "it was not me" opens the page that asks for a mail, and an account is deleted from the page', async () => {
  const person = registration();
  await request(server.url, 'POST', '/api/v1/auth/register', { body: person });
  const page = await browser.newPage();
  await page.goto(`${server.url}/forgot-password`);
  await page.getByTestId('forgot').locator('[name=email]').waitFor();
  expect(page.url()).toBe(`${server.url}/`);
  await page.getByText('Back to sign-in').click();

  await signIn(page, person.email, PASSWORD);
  await page.getByTestId('nav-you').first().click();
  // As the server answers a quarter of an hour after signing in.
  const body = { status: 403, code: 'FORBIDDEN', message: 'You may not do this.' };
  await page.route('**/users/me/export', (route) => route.fulfill({ status: 403, json: body }));
  await page.getByText('Download my data').click();
  await page.getByTestId('toast').filter({ hasText: 'Sign out and in again first' }).waitFor();
  await page.getByTestId('delete-account').click();
  const form = page.getByTestId('delete-form');
  await form.locator('[name=password]').fill('not the password at all');
  await form.locator('[type=submit]').click();
  expect(await form.getByRole('alert').innerText()).toBe('This is not your current password.');
  await form.locator('[name=password]').fill(PASSWORD);
  await form.locator('[type=submit]').click();
  await page.getByTestId('sign-in').waitFor();
  // Who thinks better of it signs in, and is told what that did.
  await signIn(page, person.email, PASSWORD);
  await page.getByTestId('nav-you').first().waitFor();
  const back = page.getByTestId('toast').filter({ hasText: 'You have your account back' });
  await back.waitFor();
  await signOut(page);
  await back.waitFor({ state: 'detached' });
  await signIn(page, person.email, PASSWORD);
  await page.getByTestId('nav-you').first().waitFor();
  expect(await back.count()).toBe(0);
});

test('cookie mode works in a browser, and its refresh token is out of reach of scripts', async () => {
  const person = registration();
  await request(server.url, 'POST', '/api/v1/auth/register', { body: person });
  const page = await browser.newPage();
  await page.goto(server.url);
  const seen = await page.evaluate(
    async ({ email, password }) => {
      const json = { 'content-type': 'application/json' };
      const post = (path: string, headers: object, body?: object) =>
        fetch(`/api/v1/auth/${path}`, {
          method: 'POST',
          headers: { ...json, ...headers },
          body: JSON.stringify(body ?? {}),
        });
      const login = await post('login', { 'x-auth-mode': 'cookie' }, { email, password });
      const readable = (globalThis as unknown as { document: { cookie: string } }).document.cookie;
      const csrf = /(?:^|; )csrf=([^;]+)/.exec(readable)?.[1] ?? '';
      const without = await post('refresh-token', {});
      const refreshed = await post('refresh-token', { 'x-csrf-token': csrf });
      const again = await post('refresh-token', { 'x-csrf-token': csrf });
      const { accessToken } = (await again.json()) as { accessToken: string };
      const logout = await post('logout', { authorization: `Bearer ${accessToken}` });
      const after = await post('refresh-token', { 'x-csrf-token': csrf });
      const statuses = [login, without, refreshed, again, logout, after].map((answer) => answer.status);
      return { readable, statuses, token: ((await login.json()) as { refreshToken: unknown }).refreshToken };
    },
    { email: person.email, password: person.password },
  );
  expect(seen.readable).toMatch(/^csrf=[\w-]{43}$/);
  expect(seen.token).toBeNull();
  expect(seen.statuses).toEqual([200, 403, 200, 200, 204, 401]);
});
