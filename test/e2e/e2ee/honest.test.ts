/** Two people call each other through a server that does as it should; the test taps its SFU. */
import type { BrowserContext, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { CallPages } from '../../integration/media/callPages.ts';
import { SfuTap } from '../../support/SfuTap.ts';
import { newMatch } from '../../support/signedIn.ts';
import { call, claimOf, encryption, eventually, hear, see, useDevices } from './devices.ts';
import { opener } from './opener.ts';

declare const duet: { call: { id: string } | null };

/** What `page.js` adds to the page. */
interface Decoder {
  picturesOf(frames: string[]): Promise<number>;
}

const tap = new SfuTap();
const devices = useDevices();

/** How many VP8 frames Chromium's decoder makes a picture of. */
function picturesOf(page: Page, frames: Uint8Array[]): Promise<number> {
  const given = frames.map((frame) => Buffer.from(frame).toString('base64'));
  return page.evaluate((one) => (globalThis as unknown as Decoder).picturesOf(one), given);
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
/** What of a VP8 frame is not encrypted. */
const vp8Clear = (frame: Uint8Array) => ((frame[0]! & 1) === 0 ? 10 : 1);

test('with it off, whoever owns the SFU hears and sees', async () => {
  const { ann, bob, matchId } = await newMatch(devices);
  const cannot = (context: BrowserContext) =>
    context.addInitScript(() => {
      delete (globalThis as { RTCRtpScriptTransform?: unknown }).RTCRtpScriptTransform;
    });
  const [atAnn, atBob] = await Promise.all([devices.device(ann), devices.device(bob, cannot)]);
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
  const { ann, bob, matchId } = await newMatch(devices);
  const [atAnn, atBob] = await Promise.all([devices.device(ann), devices.device(bob)]);
  tap.packets = [];
  await call(atAnn, atBob, matchId);
  await eventually(() => encryption(atAnn)).toMatchObject({ state: 'on' });
  await eventually(() => encryption(atBob)).toMatchObject({ state: 'on' });
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

test('a bare RTCPeerConnection talks with the page as before, and the page says that it is not encrypted', async () => {
  const { ann, bob, matchId } = await newMatch(devices);
  const [atAnn, pages] = await Promise.all([devices.device(ann), CallPages.open(devices.url)]);
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
