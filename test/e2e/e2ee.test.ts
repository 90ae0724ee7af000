/**
 * Two people call each other in real Chromium, and the test owns the server: it taps the SFU and plays tricks with the
 * keys that are relayed.
 */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { BaseRoom } from '../../rooms/BaseRoom.ts';
import { type PublicKey, PublicKeys } from '../../src/calling/PublicKeys.ts';
import { DeviceKey } from '../../web/sdk/e2ee/DeviceKey.ts';
import { KeyAgreement } from '../../web/sdk/e2ee/KeyAgreement.ts';
import { type KeyMessage, readKeyMessage } from '../../web/sdk/e2ee/keyMessages.ts';
import { decodeHeader, SFrameKey } from '../../web/sdk/e2ee/sframe.ts';
import { MemoryVault } from '../../web/sdk/e2ee/Vault.ts';
import { CallPages } from '../integration/media/callPages.ts';
import { useApp } from '../support/app.ts';
import { openBrowser } from '../support/browser.ts';
import { type Json, newPerson, type Person } from '../support/client.ts';
import { SfuTap } from '../support/SfuTap.ts';

const tap = new SfuTap();
const app = useApp({ CALL_DURATION_SEC: '300' });
let browser: Browser;

beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser?.close());
afterEach(async () => {
  relay.say = undefined;
  relay.beforePatch = undefined;
  await Promise.all(browser.contexts().map((context) => context.close()));
});

type RoomInside = {
  roomId: string;
  clients: { leave(code: number): void }[];
  say(type: string, payload: Json, userId?: string): void;
  patch(): void;
  state?: { people?: Map<string, { connected: boolean; e2eeAble: boolean }> };
};

/** What a server does that is not to be trusted: changes what it says (undefined: says nothing), or its state. */
const relay: {
  say?: ((type: string, payload: Json) => Json | undefined) | undefined;
  beforePatch?: ((room: RoomInside) => void) | undefined;
} = {};
const rooms = BaseRoom.prototype as unknown as RoomInside;
const keys = PublicKeys.prototype as { of(userId: string): PublicKey | undefined };
const honest = { say: rooms.say, patch: rooms.patch, of: keys.of };
rooms.say = function (type, payload, userId) {
  const said = relay.say ? relay.say(type, payload) : payload;
  if (said !== undefined) honest.say.call(this, type, said, userId);
};
rooms.patch = function () {
  relay.beforePatch?.(this);
  honest.patch.call(this);
};
// What who joins later is told.
keys.of = function (userId) {
  const key = honest.of.call(this, userId);
  const said = key && relay.say ? relay.say('call:e2ee_key', { userId, ...key }) : key;
  if (!said) return undefined;
  const { userId: _, ...relayed } = said;
  return relayed as PublicKey;
};

interface OpenCall {
  id: string;
  stats(): Promise<{
    audio: { packetsReceived: number; samplesReceived: number; samplesConcealed: number; energy: number };
    video: { framesDecoded: number };
  }>;
  snapshot: { phase: string; people: Record<string, { e2ee: string }> };
  encryption: { snapshot: { state: string; reason: string | null; sends: string; words: string[] } };
  request(type: string, payload: object): Promise<unknown>;
}
declare const duet: {
  call: OpenCall | null;
  sdk: { auth: { login(...args: string[]): Promise<unknown> } };
};

/** What `e2eePage.js` adds to the page. */
interface Overheard {
  overheard: number[][];
  picturesOf(frames: string[]): Promise<number>;
}

const PASSWORD = 'correct horse battery';

/** A device of a person's: a browser profile of its own, in which the HKDF keys that the page makes are overheard. */
async function device(
  person: Person,
  prepare?: (context: BrowserContext) => Promise<unknown>,
): Promise<Page> {
  const context = await browser.newContext({ permissions: ['microphone', 'camera'] });
  await context.addInitScript({ path: `${import.meta.dirname}/e2eePage.js` });
  await prepare?.(context);
  const page = await context.newPage();
  await page.goto(app.url);
  await signInAt(page, person);
  return page;
}

async function signInAt(page: Page, person: Person): Promise<void> {
  await page.waitForFunction(() => 'duet' in globalThis);
  await page.evaluate(
    ([email, password]) => duet.sdk.auth.login(email!, password!),
    [person.email, PASSWORD],
  );
  await page.reload();
  await page.getByTestId('nav-matches').waitFor();
}

type Two = { ann: Person; bob: Person; matchId: string };

async function newTwo(): Promise<Two> {
  const [ann, bob] = await Promise.all([newPerson(app.url), newPerson(app.url)]);
  await ann.ok('POST', `/matches/like/${bob.id}`);
  const { match } = await bob.ok('POST', `/matches/like/${ann.id}`);
  return { ann, bob, matchId: match.id };
}

async function call(from: Page, to: Page, matchId: string): Promise<void> {
  await from.getByTestId('nav-matches').click();
  await from.locator(`[data-match-id="${matchId}"]`).getByTestId('match-call').click();
  await to.getByTestId('incoming-answer').click();
}

async function hangUp(page: Page, other: Page): Promise<void> {
  await page.getByTestId('call-hangup').click();
  for (const one of [page, other]) await one.getByTestId('call-ended-close').click();
}

/** Waits for what a page shows. Long: video on a busy machine is slow. */
const eventually = <T>(read: () => T) => expect.poll(read, { timeout: 60_000, interval: 250 });

const encryption = (page: Page) =>
  page.evaluate(() => {
    const now = duet.call?.encryption.snapshot;
    return now && { state: now.state, reason: now.reason, sends: now.sends, words: now.words };
  });
const stats = (page: Page) => page.evaluate(() => duet.call!.stats());
const stateOf = (page: Page) => async () => (await encryption(page))?.state;
/** What a page is told that the other's client does. */
const claimOf = (page: Page, person: Person) =>
  page.evaluate((id) => duet.call?.snapshot.people[id]?.e2ee, person.id);

/** Both hear: what is played is sound of the other's, not made up. */
async function hear(...pages: Page[]): Promise<void> {
  for (const page of pages) {
    await eventually(async () => (await stats(page)).audio.samplesReceived).toBeGreaterThan(0);
    const before = (await stats(page)).audio;
    await eventually(
      async () => (await stats(page)).audio.samplesReceived - before.samplesReceived,
    ).toBeGreaterThan(96_000);
    const after = (await stats(page)).audio;
    const played = after.samplesReceived - before.samplesReceived;
    expect(after.samplesConcealed - before.samplesConcealed).toBeLessThan(played / 2);
    await eventually(async () => (await stats(page)).audio.energy).toBeGreaterThan(0);
  }
}

async function see(...pages: Page[]): Promise<void> {
  for (const page of pages) {
    const before = (await stats(page)).video.framesDecoded;
    await eventually(async () => (await stats(page)).video.framesDecoded - before).toBeGreaterThan(5);
  }
}

/** How many VP8 frames Chromium's decoder makes a picture of. */
function picturesOf(page: Page, frames: Uint8Array[]): Promise<number> {
  const given = frames.map((frame) => Buffer.from(frame).toString('base64'));
  return page.evaluate((one) => (globalThis as unknown as Overheard).picturesOf(one), given);
}

/** A server with devices of its own, that is Bob to Ann and Ann to Bob. */
class Between {
  readonly #ann: Person;
  readonly #bob: Person;
  #room: RoomInside | undefined;
  #toAnn: Promise<KeyAgreement> | undefined;
  #toBob: Promise<KeyAgreement> | undefined;

  constructor(ann: Person, bob: Person) {
    this.#ann = ann;
    this.#bob = bob;
  }

  /** In the room, and offering keys to Bob as soon as he is there. */
  enter(room: RoomInside): void {
    if (!room.state?.people) return;
    this.#room = room;
    this.#toAnn ??= this.#agreement(this.#bob, this.#ann, false);
    if (!room.state.people.get(this.#bob.id)?.connected || this.#toBob) return;
    this.#toBob = this.#agreement(this.#ann, this.#bob, true);
    void this.#toBob.then((agreement) => agreement.begin());
  }

  /** Keeps what the two say to each other. */
  hear(payload: Json): undefined {
    const agreement = payload.userId === this.#ann.id ? this.#toAnn : this.#toBob;
    const message = readKeyMessage(payload);
    if (message) void agreement?.then((one) => one.hear(message));
  }

  async #agreement(as: Person, to: Person, isCaller: boolean): Promise<KeyAgreement> {
    const room = this.#room!;
    return new KeyAgreement({
      callId: room.roomId,
      userId: as.id,
      peerId: to.id,
      isCaller,
      device: await DeviceKey.of(as.id, new MemoryVault()),
      nowSec: () => 1_000,
      send: (message: KeyMessage) =>
        honest.say.call(room, 'call:e2ee_key', { userId: as.id, ...message }, to.id),
    });
  }
}

/** Opens tapped frames with what the page's keys are made of. */
async function opener(page: Page) {
  const overheard = await page.evaluate(() => (globalThis as unknown as Overheard).overheard);
  const keys = new Map<bigint, SFrameKey[]>();
  return async (frame: Uint8Array<ArrayBuffer>, clear: number) => {
    const prefix = frame.slice(0, clear);
    const sealed = frame.slice(clear);
    const header = decodeHeader(sealed);
    if (!header) return undefined;
    if (!keys.has(header.kid)) {
      const derived = overheard.map(async (raw) => {
        const base = await crypto.subtle.importKey('raw', Uint8Array.from(raw), 'HKDF', false, [
          'deriveKey',
          'deriveBits',
        ]);
        return SFrameKey.derive(base, header.kid);
      });
      keys.set(header.kid, await Promise.all(derived));
    }
    for (const key of keys.get(header.kid)!) {
      const opened = await key.decrypt(header, sealed, prefix).catch(() => undefined);
      if (opened) return Uint8Array.from(Buffer.concat([prefix, opened]));
    }
    return undefined;
  };
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
/** What of a VP8 frame is not encrypted. */
const vp8Clear = (frame: Uint8Array) => ((frame[0]! & 1) === 0 ? 10 : 1);

test('with it off, whoever owns the SFU hears and sees', async () => {
  const { ann, bob, matchId } = await newTwo();
  const cannot = (context: BrowserContext) =>
    context.addInitScript(() => {
      delete (globalThis as { RTCRtpScriptTransform?: unknown }).RTCRtpScriptTransform;
    });
  const [atAnn, atBob] = await Promise.all([device(ann), device(bob, cannot)]);
  tap.packets = [];
  await call(atAnn, atBob, matchId);
  await eventually(() => encryption(atAnn)).toMatchObject({ state: 'off', reason: 'peer', sends: 'clear' });
  expect(await encryption(atBob)).toMatchObject({ state: 'off', reason: 'browser', sends: 'clear' });
  await hear(atAnn, atBob);
  for (const page of [atAnn, atBob]) {
    expect(await page.getByTestId('call-e2ee').getAttribute('data-state')).toBe('off');
    expect(await page.getByTestId('call-e2ee').innerText()).toBe('Not encrypted');
    expect(await claimOf(page, ann)).toBe('off');
  }
  await atAnn.getByTestId('call-upgrade').click();
  await atBob.getByTestId('call-upgrade-yes').click();
  await see(atAnn, atBob);
  await eventually(() => tap.videoFrames().length).toBeGreaterThan(10);
  expect(await picturesOf(atAnn, tap.videoFrames())).toBeGreaterThan(5);
});

test('with it on, nothing that passes the SFU can be decoded, and the two are told the same words', async () => {
  const { ann, bob, matchId } = await newTwo();
  const [atAnn, atBob] = await Promise.all([device(ann), device(bob)]);
  tap.packets = [];
  await call(atAnn, atBob, matchId);
  await eventually(stateOf(atAnn)).toBe('on');
  await eventually(stateOf(atBob)).toBe('on');
  await hear(atAnn, atBob);
  const { words } = (await encryption(atAnn))!;
  expect(words).toHaveLength(4);
  expect((await encryption(atBob))!.words).toEqual(words);

  // Sound: the key opens it, and what comes out is what Opus makes; no packet went by as that.
  const open = await opener(atAnn);
  const audio = tap.ofKind('audio').slice(-100);
  expect(audio).toHaveLength(100);
  for (const { payload } of audio) {
    const opus = await open(payload, 0);
    expect(opus).toBeDefined();
    expect(hex(payload)).not.toContain(hex(opus!.subarray(0, 8)));
  }

  await atAnn.getByTestId('call-upgrade').click();
  await atBob.getByTestId('call-upgrade-yes').click();
  await see(atAnn, atBob);
  await eventually(() => tap.videoFrames().length).toBeGreaterThan(10);
  const frames = tap.videoFrames();
  const opened = await Promise.all(frames.map((frame) => open(frame, vp8Clear(frame))));
  expect(opened.filter((frame) => frame === undefined)).toEqual([]);
  expect(await picturesOf(atAnn, opened as Uint8Array[])).toBeGreaterThan(5);
  expect(await picturesOf(atAnn, frames)).toBe(0);
});

test('who has compared the words need not do it again, in this call or the next', async () => {
  const { ann, bob, matchId } = await newTwo();
  const [atAnn, atBob] = await Promise.all([device(ann), device(bob)]);
  await call(atAnn, atBob, matchId);
  for (const page of [atAnn, atBob]) await eventually(stateOf(page)).toBe('on');
  const { words } = (await encryption(atAnn))!;
  for (const page of [atAnn, atBob]) {
    await page.getByTestId('call-e2ee').click();
    expect(await page.getByTestId('call-words').locator('li').allInnerTexts()).toEqual(words);
    await page.getByTestId('call-words-match').click();
    await eventually(stateOf(page)).toBe('verified');
  }
  await eventually(() => claimOf(atBob, ann)).toBe('verified');
  expect(await atAnn.getByTestId('call-e2ee').innerText()).toBe('Verified');

  for (const [comesBack, stays] of [
    [atBob, atAnn],
    [atAnn, atBob],
  ] as const) {
    const before = (await encryption(stays))!.words;
    await comesBack.reload();
    await eventually(stateOf(comesBack)).toBe('verified');
    await eventually(async () => (await encryption(stays))!.words).not.toEqual(before);
    await eventually(async () => (await encryption(comesBack))!.words).toEqual(
      (await encryption(stays))!.words,
    );
    await hear(comesBack, stays);
    expect([await stateOf(stays)(), await stateOf(comesBack)()]).toEqual(['verified', 'verified']);
  }

  await hangUp(atAnn, atBob);
  await call(atBob, atAnn, matchId);
  for (const page of [atAnn, atBob]) await eventually(stateOf(page)).toBe('verified');
});

test('new transports, another device and a lost socket: it stays on', async () => {
  const { ann, bob, matchId } = await newTwo();
  const [atAnn, atBob, onTablet] = await Promise.all([device(ann), device(bob), device(bob)]);
  let room: RoomInside | undefined;
  relay.beforePatch = (one) => {
    if (one.state?.people) room = one;
  };
  await call(atAnn, atBob, matchId);
  for (const page of [atAnn, atBob]) await eventually(stateOf(page)).toBe('on');
  await hear(atAnn, atBob);
  const { words } = (await encryption(atAnn))!;

  // A worker of the SFU's was replaced: other transports, the same keys.
  honest.say.call(room!, 'media:restart', {});
  await hear(atAnn, atBob);
  expect(await encryption(atAnn)).toMatchObject({ state: 'on', words });

  // The socket is lost: the call comes back with other keys.
  for (const client of room!.clients) client.leave(4_099);
  for (const page of [atAnn, atBob]) {
    await eventually(async () => (await encryption(page))?.words).not.toEqual(words);
    await eventually(stateOf(page)).toBe('on');
  }
  await hear(atAnn, atBob);

  // Bob goes on at his tablet: a device that Ann has not met.
  await onTablet.evaluate((id) => sessionStorage.setItem('duet.call', id), room!.roomId);
  await onTablet.reload();
  for (const page of [atAnn, onTablet]) await eventually(stateOf(page)).toBe('on');
  await hear(atAnn, onTablet);
  await eventually(() => atAnn.getByTestId('call-e2ee').getAttribute('data-changed')).toBe('true');
  expect((await encryption(onTablet))!.words).toEqual((await encryption(atAnn))!.words);
});

test('a bare RTCPeerConnection talks with the page as before, and the page says that it is not encrypted', async () => {
  const { ann, bob, matchId } = await newTwo();
  const [atAnn, pages] = await Promise.all([device(ann), CallPages.open(app.url)]);
  try {
    await atAnn.getByTestId('nav-matches').click();
    await atAnn.locator(`[data-match-id="${matchId}"]`).getByTestId('match-call').click();
    await eventually(() => atAnn.evaluate(() => duet.call?.id ?? '')).not.toBe('');
    // Sits down while it rings: from the answer on the clock of a call that does not connect runs.
    const { seat } = await bob.ok('POST', `/calls/${await atAnn.evaluate(() => duet.call!.id)}/join`);
    const plain = await pages.sit('plain', bob, seat);
    await plain.do('send', 'audio');
    expect(await plain.ask('call:answer')).toBe('done');
    await plain.hears('audio', { bytes: 5_000 }, 60_000);
    await hear(atAnn);
    expect(await encryption(atAnn)).toMatchObject({ state: 'off', reason: 'peer', sends: 'clear' });
    expect(await atAnn.getByTestId('call-e2ee').innerText()).toBe('Not encrypted');
  } finally {
    await pages.close();
  }
});

test('a server that swaps a key is noticed, and gets nothing to hear', async () => {
  const { ann, bob, matchId } = await newTwo();
  const [atAnn, atBob] = await Promise.all([device(ann), device(bob)]);
  tap.packets = [];
  relay.say = (type, payload) =>
    type === 'call:e2ee_key' && payload.step === 'share'
      ? { ...payload, key: Buffer.alloc(32, 9).toString('base64url') }
      : payload;
  await call(atAnn, atBob, matchId);
  await eventually(() => encryption(atAnn)).toMatchObject({
    state: 'off',
    reason: 'tampered',
    sends: 'held',
  });
  await eventually(() => encryption(atBob)).toMatchObject({
    state: 'off',
    reason: 'stripped',
    sends: 'held',
  });
  for (const page of [atAnn, atBob]) await page.getByTestId('call-held').waitFor();
  expect(tap.packets).toEqual([]);
});

test('a server that is each one’s other is betrayed by the words', async () => {
  const { ann, bob, matchId } = await newTwo();
  const [atAnn, atBob] = await Promise.all([device(ann), device(bob)]);
  const between = new Between(ann, bob);
  relay.say = (type, payload) => (type === 'call:e2ee_key' ? between.hear(payload) : payload);
  relay.beforePatch = (room) => between.enter(room);
  await call(atAnn, atBob, matchId);
  await eventually(stateOf(atAnn)).toBe('on');
  await eventually(stateOf(atBob)).toBe('on');
  const words = await Promise.all([atAnn, atBob].map(async (page) => (await encryption(page))!.words));
  expect(words[0]).toHaveLength(4);
  expect(words[0]).not.toEqual(words[1]);

  await atAnn.getByTestId('call-e2ee').click();
  await atAnn.getByTestId('call-words-differ').click();
  await eventually(() => encryption(atAnn)).toMatchObject({
    state: 'off',
    reason: 'mismatch',
    sends: 'held',
  });
});

test('a server that strips all word of encryption is noticed by who has heard the other encrypted before', async () => {
  const { ann, bob, matchId } = await newTwo();
  const [atAnn, atBob] = await Promise.all([device(ann), device(bob)]);
  await call(atAnn, atBob, matchId);
  await eventually(stateOf(atAnn)).toBe('on');
  await eventually(stateOf(atBob)).toBe('on');
  await hangUp(atAnn, atBob);

  tap.packets = [];
  relay.say = (type, payload) => (type === 'call:e2ee_key' ? undefined : payload);
  relay.beforePatch = ({ state }) => {
    for (const person of state?.people?.values() ?? []) person.e2eeAble = false;
  };
  await call(atAnn, atBob, matchId);
  for (const page of [atAnn, atBob]) {
    await eventually(() => encryption(page)).toMatchObject({
      state: 'off',
      reason: 'stripped',
      sends: 'held',
    });
    expect(await page.getByTestId('call-held').getAttribute('data-reason')).toBe('stripped');
  }
  expect(tap.packets).toEqual([]);

  // Who wants to talk all the same says so; it stays off.
  for (const page of [atAnn, atBob]) await page.getByTestId('call-talk-anyway').click();
  await hear(atAnn, atBob);
  expect(await encryption(atAnn)).toMatchObject({ state: 'off', reason: 'stripped', sends: 'clear' });
});
