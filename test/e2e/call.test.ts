/**
 * Two strangers talk: two windows of the page in real Chromium, the program as its user starts it, the demo town.
 * Durations are short by environment.
 */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser } from '../support/browser.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { onServer } from '../support/postgresServer.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { signIn } from '../support/signedIn.ts';

const PICTURES = process.env.DUET_PICTURES;
let database: TestDatabase;
let server: TestServer;
let browser: Browser;

beforeAll(async () => {
  database = await createTestDatabase();
  server = await startServer({
    DB_URL: database.url,
    SEED_DEMO: 'true',
    CALL_DURATION_SEC: '30',
    CALL_EXTENSION_SEC: '5',
    CALL_WARNING_SEC: '6',
    TURN_URLS: 'turn:127.0.0.1:9?transport=udp',
    TURN_SECRET: 'a-secret-that-coturn-would-know-0123456789',
  });
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
  await database?.drop();
});

/** What goes wrong behind a page that looks well. */
let wrong: string[] = [];

async function openAs(email: string, phone = false): Promise<Page> {
  const context = await browser.newContext({
    permissions: ['microphone', 'camera'],
    viewport: phone ? { width: 390, height: 844 } : { width: 1280, height: 800 },
  });
  await context.addInitScript(noteIceServers);
  const page = await context.newPage();
  page.on('pageerror', (error) => wrong.push(String(error.stack)));
  page.on('response', (response) => {
    if (response.status() >= 400) wrong.push(`${response.status()} ${response.url()}`);
  });
  await page.goto(server.url);
  await page.getByTestId(`demo-person-${email}`).click();
  await page.getByTestId('card-like').waitFor();
  return page;
}

/** What the page lays open of its present call (`web/page/duet.ts`). */
interface OpenCall {
  stats(): Promise<{
    audio: { packetsReceived: number; bytesReceived: number };
    video: { framesDecoded: number; framesSent: number };
  }>;
  snapshot: { endsAtMs: number | null };
  request(type: string, payload: object): Promise<unknown>;
}
declare const duet: { call: OpenCall };
interface Sheet {
  matches(selector: string): boolean;
}

/** Runs in the page: what its connections may be relayed by. */
function noteIceServers(): void {
  const page = globalThis as unknown as {
    RTCPeerConnection: new (options: { iceServers?: unknown[] }) => object;
    iceServers: unknown[];
  };
  page.iceServers = [];
  page.RTCPeerConnection = class extends page.RTCPeerConnection {
    constructor(options: { iceServers?: unknown[] }) {
      super(options);
      page.iceServers.push(...(options.iceServers ?? []));
    }
  };
}
/** Notes in the page whether the button of a yes to video could be pressed from its first moment on. */
const NOTE_YES = `new MutationObserver(() => {
  const yes = document.querySelector('[data-testid="call-upgrade-yes"]');
  if (yes) globalThis.isOpenAtFirst ??= !yes.disabled;
}).observe(document.body, { childList: true, subtree: true })`;
declare const isOpenAtFirst: boolean;
declare const iceServers: { urls: string[]; username: string; credential: string }[];

const stats = (page: Page) => page.evaluate(() => duet.call.stats());
const endsIn = (page: Page) => page.evaluate(() => duet.call.snapshot.endsAtMs);
/** Asks the server for a video producer behind the page's back; the code of the refusal. */
const tryToSendVideo = (page: Page) =>
  page.evaluate(
    (payload) =>
      duet.call.request('media:produce', payload).then(
        () => 'taken',
        (error: { code: string }) => error.code,
      ),
    {
      transportId: '00000000-0000-4000-8000-000000000000',
      kind: 'video',
      rtpParameters: {
        mid: '1',
        codecs: [
          { mimeType: 'video/VP8', payloadType: 96, clockRate: 90_000, parameters: {}, rtcpFeedback: [] },
        ],
        headerExtensions: [],
        encodings: [{ ssrc: 12_345_678 }],
        rtcp: { cname: 'x', reducedSize: true },
      },
    },
  );
const shot = async (page: Page, name: string) => {
  if (PICTURES !== undefined)
    await page.screenshot({ path: `${PICTURES}/${name}.png`, animations: 'disabled' });
};

/** Reads until it fits. */
async function until<T>(
  read: () => Promise<T>,
  fits: (value: T) => boolean,
  what: string,
  withinMs = 15_000,
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const value = await read();
    if (fits(value)) return value;
    if (performance.now() > end) throw new Error(`${what}: still ${JSON.stringify(value)}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

test('two people of the demo town match, talk, extend, see each other, and the clock ends it', async () => {
  wrong = [];
  const ada = await openAs('ada@demo.duet');
  await shot(ada, 'deck');
  // Who is on top of Ada's deck signs in at the second window, on a phone.
  const peerId = await ada.getByTestId('card').getAttribute('data-user-id');
  const { rows } = await onServer(database.url, `select email from users where id = '${peerId}'`);
  const email: string = rows[0].email;
  const peer = await openAs(email, true);
  await shot(peer, 'deck-phone');

  await ada.getByTestId('card-like').click();
  const [adaApi, peerApi] = await Promise.all([
    signIn(server.url, 'ada@demo.duet', 'duet-demo'),
    signIn(server.url, email, 'duet-demo'),
  ]);
  await peerApi.ok('POST', `/matches/like/${adaApi.id}`);
  await ada.getByTestId('match-moment').waitFor();
  await peer.getByTestId('toast').filter({ hasText: 'like each other' }).waitFor();
  await shot(ada, 'match');
  await ada.getByTestId('match-moment').getByTestId('match-call').click();
  await peer.getByTestId('incoming-answer').waitFor();
  await shot(peer, 'incoming-phone');
  // It rings on, also for a page that had acknowledged it and is loaded anew.
  await peer.waitForTimeout(500);
  await peer.reload();
  await peer.getByTestId('incoming-answer').waitFor();
  // Whoever is typing when it rings has answered nothing by the next key.
  for (const key of ['Space', 'Enter']) await peer.keyboard.press(key);
  // A browser closes a dialog in the end, however often the page says no: while it rings it stays above all others.
  for (let press = 0; press < 5; press++) await peer.keyboard.press('Escape');
  await until(
    () => peer.getByTestId('incoming').evaluate((sheet) => (sheet as unknown as Sheet).matches(':modal')),
    (isModal) => isModal,
    'the sheet is closed',
  );
  await peer.getByTestId('incoming-answer').click();

  // Both hear: packets and bytes of audio rise on both sides.
  for (const page of [ada, peer]) {
    await page.locator('[data-testid="call"][data-phase="active"]').waitFor();
    const before = await until(
      () => stats(page),
      ({ audio }) => audio.packetsReceived > 0,
      'no audio',
    );
    const after = await until(
      () => stats(page),
      ({ audio }) => audio.packetsReceived > before.audio.packetsReceived + 20,
      'audio stands',
    );
    expect(after.audio.bytesReceived).toBeGreaterThan(before.audio.bytesReceived);
  }
  await shot(ada, 'call-voice');

  // Who has no other way is relayed.
  for (const page of [ada, peer]) {
    const [relay] = await page.evaluate(() => iceServers);
    expect(relay).toMatchObject({ urls: ['turn:127.0.0.1:9?transport=udp'], username: expect.any(String) });
  }

  // No video before consent: nobody sends any, and the server does not take it from a client that tries.
  expect((await stats(ada)).video.framesSent).toBe(0);
  expect(await tryToSendVideo(ada)).toBe('FORBIDDEN');

  const endedAtFirst = (await endsIn(ada))!;
  // Asked over HTTP, answered in the room: two doors to the same rules.
  const callId = await ada.getByTestId('call').getAttribute('data-call-id');
  const { call: asked } = await adaApi.ok('POST', `/calls/${callId}/extend`);
  expect(asked.pending).toMatchObject({ kind: 'extend', by: adaApi.id });
  await peer.getByTestId('call-extend-yes').click();
  await until(
    () => endsIn(peer),
    (endsAt) => endsAt === endedAtFirst + 5_000,
    'not extended on the other side',
  );
  await until(
    () => endsIn(ada),
    (endsAt) => endsAt === endedAtFirst + 5_000,
    'not extended',
  );

  // Nobody says yes to what they have not read: the question may have been another one when they moved to the button.
  await ada.evaluate(NOTE_YES);
  await peer.getByTestId('call-upgrade').click();
  await ada.getByTestId('call-upgrade-yes').waitFor();
  expect(await ada.evaluate(() => isOpenAtFirst)).toBe(false);
  await shot(ada, 'call-asked');
  await ada.getByTestId('call-upgrade-yes').click();
  for (const page of [ada, peer]) {
    const before = await until(
      () => stats(page),
      ({ video }) => video.framesDecoded > 0,
      'no video',
    );
    await until(
      () => stats(page),
      ({ video }) => video.framesDecoded > before.video.framesDecoded + 5,
      'video stands',
    );
  }
  // The same attempt is refused for another reason now: it names a transport that is not there.
  expect(await tryToSendVideo(ada)).toBe('NOT_FOUND');
  await shot(ada, 'call-video');
  await shot(peer, 'call-video-phone');

  // The clock ends it for both, not before what both were shown.
  await Promise.all([ada, peer].map((page) => page.getByTestId('call-ended').waitFor({ timeout: 60_000 })));
  await shot(peer, 'ended-phone');
  const { call } = await adaApi.ok('GET', `/calls/${callId}`);
  expect(call).toMatchObject({ phase: 'ended', outcome: 'timed_out', extensions: 1, media: 'video' });
  expect(Date.parse(call.endsAt)).toBe(endedAtFirst + 5_000);
  const journal = await onServer(
    database.url,
    `select state from call_journal where call_id = '${callId}' and phase = 'ended'`,
  );
  expect(journal.rows[0].state.endedAt).toBeGreaterThanOrEqual(Date.parse(call.endsAt));
  expect(wrong).toEqual([]);
});

test('Ctrl-C ends the program in order', async () => {
  expect(await server.stop()).toBe(0);
});
