/**
 * How long two people who talk in real Chromium do not hear each other when the process of their call is killed
 * (`kill -9`), and how right the time that is left is afterwards. One call, killed again and again.
 *
 *   npm run node -- loadtest/takeover.ts [takeovers = 25]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Browser, Page } from 'playwright-core';
import { createLog } from '../src/log.ts';
import { startEmbeddedPostgres } from '../src/platform/EmbeddedPostgres.ts';
import { Balancer } from '../test/support/Balancer.ts';
import { openBrowser } from '../test/support/browser.ts';
import type { Json } from '../test/support/client.ts';
import { freePort } from '../test/support/freePort.ts';
import { TestRedis } from '../test/support/redis.ts';
import { startServer, type TestServer } from '../test/support/server.ts';
import { signIn } from '../test/support/signedIn.ts';

const takeovers = Number(process.argv[2] ?? 25);
const PASSWORD = 'duet-demo';
const EMAILS = ['ada@demo.duet', 'milo@demo.duet'];
const GIVE_UP_MS = 30_000;
/** Who heard something that lately hears; a page on a busy machine does not look every 20 ms. */
const HEARD_MS = 500;
const SECRET = 'a-secret-that-both-processes-share-0123456789';

interface Process {
  port: number;
  /** As it stands in the row of a call. */
  id: string;
  server: TestServer;
}

interface Takeover {
  silentMs: number[];
  /** Until another process held the call; the rest is the clients' way there, and media. */
  unheldMs: number;
  /** What was added to the clock of the call, beyond the time in which nobody held it. */
  errorMs: number;
}

/** What the page has of a browser's. */
interface Connection {
  connectionState: string;
  getStats(): Promise<Map<string, Json>>;
}
interface Global {
  RTCPeerConnection: new (...given: unknown[]) => Connection;
  ear: Ear;
}
/** When there was sound that had come over the network, and when the connection was made by which it came. */
interface Ear {
  heard: { atMs: number; bornMs: number }[];
}

declare const ear: Ear;
declare const duet: { call: { snapshot: { endsAtMs: number } } };

/** In the page, before its own scripts: looks every 20 ms whether there was sound. */
function listen(): void {
  const page = globalThis as unknown as Global;
  const made: { connection: Connection; bornMs: number }[] = [];
  const known = new Map<string, number>();
  const ear: Ear = { heard: [] };
  page.ear = ear;
  page.RTCPeerConnection = class extends page.RTCPeerConnection {
    constructor(...given: unknown[]) {
      super(...given);
      made.push({ connection: this, bornMs: Date.now() });
    }
  };
  const look = async () => {
    for (const { connection, bornMs } of made) {
      if (connection.connectionState !== 'connected') continue;
      for (const stat of (await connection.getStats()).values()) {
        if (stat.type !== 'inbound-rtp' || stat.kind !== 'audio') continue;
        const samples = (stat.totalSamplesReceived ?? 0) - (stat.concealedSamples ?? 0);
        const key = `${bornMs} ${stat.id}`;
        if (samples > (known.get(key) ?? 0)) ear.heard.push({ atMs: Date.now(), bornMs });
        known.set(key, samples);
      }
    }
    ear.heard.splice(0, ear.heard.length - 1_000);
    setTimeout(look, 20);
  };
  void look();
}

await using closing = new AsyncDisposableStack();
const dir = await mkdtemp(join(tmpdir(), 'duet-takeover-'));
closing.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 5 }));
const postgres = await startEmbeddedPostgres({ dataDir: join(dir, 'postgres'), log: createLog('silent') });
closing.defer(() => postgres.close());
const redis = new TestRedis();
await redis.start();
closing.defer(() => redis.stop());
const balancer = await Balancer.open();
closing.defer(() => balancer.close());
const processes: Process[] = [];
closing.defer(async () => {
  await Promise.all(processes.map(({ server }) => server.kill()));
});
for (const seed of ['true', 'false']) await startProcess(seed);
const db = new pg.Client(postgres.url);
await db.connect();
closing.defer(() => db.end());
const browser = await openBrowser();
closing.defer(() => browser.close());

const { callId, pages } = await talk(browser);
const seen: Takeover[] = [];
for (let nth = 1; nth <= takeovers; nth += 1) {
  await pause(1_000 + Math.random() * 1_000);
  const one = await takeOver();
  seen.push(one);
  console.log(
    `${nth}: ${one.silentMs.join(' and ')} ms, held again after ${one.unheldMs} ms, clock ${one.errorMs} ms too long, load ${loadavg()[0]!.toFixed(1)}`,
  );
  await startProcess('false');
}
const both = seen.map(({ silentMs }) => Math.max(...silentMs)).sort((x, y) => x - y);
const unheld = seen.map(({ unheldMs }) => unheldMs).sort((x, y) => x - y);
const errors = seen.map(({ errorMs }) => Math.abs(errorMs)).sort((x, y) => x - y);
const of = (sorted: number[], share: number) => sorted[Math.ceil(sorted.length * share) - 1];
console.log(
  `${both.length} takeovers: both hear each other again after p50 ${of(both, 0.5)} ms, p95 ${of(both, 0.95)} ms, ` +
    `worst ${both.at(-1)} ms; held again after p50 ${of(unheld, 0.5)} ms, worst ${unheld.at(-1)} ms; remaining time wrong by p50 ${of(errors, 0.5)} ms, worst ${errors.at(-1)} ms`,
);

async function startProcess(seed: string): Promise<void> {
  const port = await freePort();
  const server = await startServer({
    DB_URL: postgres.url,
    REDIS_URL: redis.url,
    JWT_SECRET: SECRET,
    DATA_KEY: SECRET,
    PORT: `${port}`,
    PUBLIC_URL: balancer.url,
    PROCESS_ADDRESS: `127.0.0.1:${port}`,
    SEED_DEMO: seed,
    CALL_DURATION_SEC: '7200',
  });
  const person = await signIn(`http://127.0.0.1:${port}`, EMAILS[0]!, PASSWORD);
  const { seat } = await person.ok('POST', '/realtime/inbox');
  processes.push({ port, id: seat.processId, server });
  // Beyond ten sessions the oldest ends: that of the person's page.
  await person.ok('POST', '/auth/logout');
  balancer.ports = processes.map((one) => one.port);
}

/** A call in which both hear each other. */
async function talk(browser: Browser): Promise<{ callId: string; pages: Page[] }> {
  const [ada, milo] = await Promise.all(EMAILS.map((email) => signIn(balancer.url, email, PASSWORD)));
  await ada!.ok('POST', `/matches/like/${milo!.id}`);
  const { match }: Json = await milo!.ok('POST', `/matches/like/${ada!.id}`);
  const pages = await Promise.all(EMAILS.map((email) => openAs(browser, email)));
  await pages[0]!.getByTestId('nav-matches').click();
  await pages[0]!.locator(`[data-match-id="${match.id}"]`).getByTestId('match-call').click();
  await pages[1]!.getByTestId('incoming-answer').click();
  for (const page of pages) await page.locator('[data-testid="call"][data-phase="active"]').waitFor();
  const callId = await pages[0]!.getByTestId('call').getAttribute('data-call-id');
  return { callId: callId!, pages };
}

async function openAs(browser: Browser, email: string): Promise<Page> {
  const context = await browser.newContext({ permissions: ['microphone', 'camera'] });
  const page = await context.newPage();
  await page.addInitScript(listen);
  await page.goto(balancer.url);
  await page.getByTestId(`demo-person-${email}`).click();
  await page.getByTestId('card-like').waitFor();
  return page;
}

/** Kills the process that holds the call; resolves when both hear each other again. */
async function takeOver(): Promise<Takeover> {
  for (const [nth, page] of pages.entries()) {
    // Written anew at each look, for when it is given up.
    let agoMs = Number.NaN;
    const hears = async () => {
      agoMs = await page.evaluate(() => Date.now() - (ear.heard.at(-1)?.atMs ?? 0));
      return agoMs < HEARD_MS;
    };
    await until(hears, () => `${EMAILS[nth]} hears; it last did ${agoMs} ms ago`);
  }
  const { rows } = await db.query(`select owner, state from calls where id = $1`, [callId]);
  const at = processes.findIndex(({ id }) => id === rows[0].owner);
  const [holder] = processes.splice(at, 1);
  balancer.ports = processes.map(({ port }) => port);
  const killedAt = Date.now();
  await holder!.server.kill();
  const silentMs = await Promise.all(pages.map((page) => silenceAfter(page, killedAt)));

  const journal = await db.query(
    `select (extract(epoch from at) * 1000)::float8 as at_ms, state from call_journal
     where call_id = $1 and command = 'recover' order by version desc limit 1`,
    [callId],
  );
  const { at_ms, state } = journal.rows[0];
  const unheldMs = Math.round(at_ms - killedAt);
  const errorMs = state.endsAt - rows[0].state.endsAt - unheldMs;
  for (const page of pages) {
    const shown = await page.evaluate(() => duet.call.snapshot.endsAtMs);
    if (shown !== state.endsAt) throw new Error(`${shown} is shown where the call ends at ${state.endsAt}`);
  }
  return { silentMs, unheldMs, errorMs };
}

/** How long after `killedAt` a page heard something again: by a connection that it made since. */
async function silenceAfter(page: Page, killedAt: number): Promise<number> {
  let silentMs: number | undefined;
  await until(
    async () => {
      const againAt = await page.evaluate(
        (killedAt) => ear.heard.find(({ bornMs }) => bornMs > killedAt)?.atMs,
        killedAt,
      );
      if (againAt !== undefined) silentMs = againAt - killedAt;
      return silentMs !== undefined;
    },
    () => 'sound again',
  );
  return silentMs!;
}

async function until(isSo: () => Promise<boolean>, what: () => string): Promise<void> {
  const end = performance.now() + GIVE_UP_MS;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`not within ${GIVE_UP_MS} ms: ${what()}`);
    await pause(100);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
