/**
 * The process that holds a call dies while two people talk in real Chromium: both hear each other again on the other
 * process, in the same call, with the same time left.
 */
import pg from 'pg';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { Balancer } from '../support/Balancer.ts';
import { openBrowser, SMALL_AND_STILL } from '../support/browser.ts';
import type { Json, Person } from '../support/client.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { freePort } from '../support/freePort.ts';
import { expectCredited, heldCall } from '../support/outage.ts';
import { useRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { signIn } from '../support/signedIn.ts';

const redis = useRedis();
let database: TestDatabase;
let db: pg.Client;
let balancer: Balancer;
let servers: { port: number; server: TestServer }[] = [];
let browser: Browser;

beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser?.close());

// For every try: a killed process does not come back, and who has called does not like again.
beforeEach(async () => {
  database = await createTestDatabase();
  db = new pg.Client(database.url);
  await db.connect();
  balancer = await Balancer.open();
  servers = [await start('true'), await start('false')];
  balancer.ports = servers.map(({ port }) => port);
});
afterEach(async () => {
  await Promise.all(browser.contexts().map((context) => context.close()));
  await Promise.all(servers.map(({ server }) => server.kill()));
  balancer?.close();
  await db?.end();
  await database?.drop();
});

async function start(seed: string): Promise<{ port: number; server: TestServer }> {
  const port = await freePort();
  const server = await startServer({
    DB_URL: database.url,
    REDIS_URL: redis.url,
    JWT_SECRET: 'a-secret-that-both-processes-share-0123456789',
    DATA_KEY: 'a-data-key-that-both-processes-share-0123456789',
    PORT: String(port),
    PUBLIC_URL: balancer.url,
    PROCESS_ADDRESS: `127.0.0.1:${port}`,
    SEED_DEMO: seed,
    CALL_DURATION_SEC: '120',
  });
  return { port, server };
}

interface OpenCall {
  stats(): Promise<{ audio: { packetsReceived: number } }>;
  snapshot: { endsAtMs: number; startedAtMs: number; phase: string };
}
declare const duet: { call: OpenCall | null };

async function openAs(email: string): Promise<Page> {
  const context = await browser.newContext(SMALL_AND_STILL);
  const page = await context.newPage();
  await page.goto(balancer.url);
  await page.getByTestId(`demo-person-${email}`).click();
  await page.getByTestId('card-like').waitFor();
  return page;
}

const packets = (page: Page) =>
  page.evaluate(async () => (await duet.call?.stats())?.audio.packetsReceived ?? 0);
const snapshot = (page: Page) => page.evaluate(() => duet.call!.snapshot);

/** Resolves when the page receives more audio packets than it did. */
async function hears(page: Page, withinMs: number): Promise<void> {
  const end = performance.now() + withinMs;
  let last = await packets(page);
  for (let risen = 0; risen < 3; ) {
    await new Promise((done) => setTimeout(done, 100));
    const now = await packets(page);
    risen = now > last && last > 0 ? risen + 1 : 0;
    last = now;
    if (performance.now() > end) throw new Error(`no audio within ${withinMs} ms`);
  }
}

test('kill -9 of the process of a call: both hear each other again, with the same time left', async () => {
  const [ada, milo]: Person[] = await Promise.all(
    ['ada@demo.duet', 'milo@demo.duet'].map((email) => signIn(balancer.url, email, 'duet-demo')),
  );
  await ada!.ok('POST', `/matches/like/${milo!.id}`);
  const { match }: Json = await milo!.ok('POST', `/matches/like/${ada!.id}`);
  const pages = await Promise.all([openAs('ada@demo.duet'), openAs('milo@demo.duet')]);
  const [adaPage, miloPage] = pages as [Page, Page];
  await adaPage.getByTestId('nav-matches').click();
  await adaPage.locator(`[data-match-id="${match.id}"]`).getByTestId('match-call').click();
  await miloPage.getByTestId('incoming-answer').click();
  for (const page of pages) await page.locator('[data-testid="call"][data-phase="active"]').waitFor();
  await Promise.all(pages.map((page) => hears(page, 20_000)));

  const before = await snapshot(adaPage);
  const callId = await adaPage.getByTestId('call').getAttribute('data-call-id');
  const held = await heldCall(db, callId!);
  await servers.shift()!.server.kill();
  await Promise.all(pages.map((page) => hears(page, 30_000)));

  const after = await snapshot(miloPage);
  expect(after).toMatchObject({ phase: 'active', startedAtMs: before.startedAtMs });
  // The outage of the server is credited, no more than it took, and both are shown the same.
  expect(after.endsAtMs).toBeGreaterThan(before.endsAtMs);
  await expectCredited(db, callId!, held, 'endsAt');
  expect((await snapshot(adaPage)).endsAtMs).toBe(after.endsAtMs);
  expect(await adaPage.getByTestId('call').getAttribute('data-call-id')).toBe(callId);
});
