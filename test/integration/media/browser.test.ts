import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CallMedia } from '../../../src/media/CallMedia.ts';
import type { MediaPolicy } from '../../../src/media/callMediaPort.ts';
import type { MediaWorkers } from '../../../src/media/MediaWorkers.ts';
import { eventually } from '../../support/eventually.ts';
import { BrowserBridge, inPage } from './browserBridge.ts';
import { ANN, BEN, createCall, startWorkers, type Told, until } from './harness.ts';

let workers: MediaWorkers;
let bridge: BrowserBridge;
let pages: { ann: Page; ben: Page };
let call: CallMedia;
let told: Told[];

beforeAll(async () => {
  [workers, bridge] = await Promise.all([startWorkers({ count: 2 }), BrowserBridge.start()]);
}, 60_000);
afterAll(async () => {
  await bridge?.close();
  await workers?.close();
});

beforeEach(async () => {
  pages = { ann: await bridge.page(ANN), ben: await bridge.page(BEN) };
});
afterEach(async () => {
  call.close();
  for (const page of Object.values(pages)) await page.context().close();
});

async function newCall(policy: MediaPolicy): Promise<void> {
  ({ call, told } = await createCall(workers, policy));
  bridge.call = call;
}

/** Both join and send audio, and each consumes the other's. */
async function talk(): Promise<void> {
  const { ann, ben } = pages;
  await Promise.all([inPage(ann, 'join'), inPage(ben, 'join')]);
  expect(await Promise.all([inPage(ann, 'produce', 'audio'), inPage(ben, 'produce', 'audio')])).toEqual([
    'done',
    'done',
  ]);
  await Promise.all([consumeAll(ann, BEN), consumeAll(ben, ANN)]);
}

async function consumeAll(page: Page, from: string): Promise<void> {
  for (const { producerId } of call.producers(from)) await inPage(page, 'consume', producerId);
}

const events = (event: Told['event']) => told.filter((one) => one.event === event);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('with Chromium at both ends', { timeout: 30_000 }, () => {
  it('carries audio both ways, and says when it does', async () => {
    await newCall({ audio: true, video: false });
    await talk();
    await until('audio flows both ways', () => events('flowing').length > 0);
    const before = await Promise.all([
      inPage(pages.ann, 'received', 'audio'),
      inPage(pages.ben, 'received', 'audio'),
    ]);
    await until(
      'both are judged',
      () => new Set(events('quality').map((one) => 'userId' in one && one.userId)).size === 2,
    );
    const after = await Promise.all([
      inPage(pages.ann, 'received', 'audio'),
      inPage(pages.ben, 'received', 'audio'),
    ]);
    for (const [i, { bytes, cipher }] of after.entries()) {
      expect(bytes).toBeGreaterThan(before[i]!.bytes + 1_000);
      expect(cipher).toMatch(/^SRTP_AEAD_AES_\d+_GCM$/);
    }
    for (const quality of events('quality')) {
      expect(quality).toMatchObject({ mos: expect.any(Number), lossRatio: 0, videoBps: 0 });
      if (quality.event === 'quality') expect(quality.mos).toBeGreaterThan(4);
      if (quality.event === 'quality') expect(quality.audioBps).toBeGreaterThan(5_000);
    }
    expect(events('flowing')).toHaveLength(1);
  });

  it('does not say so while only one is heard', async () => {
    await newCall({ audio: true, video: false });
    const { ann, ben } = pages;
    await Promise.all([inPage(ann, 'join'), inPage(ben, 'join')]);
    await inPage(ann, 'produce', 'audio');
    await consumeAll(ben, ANN);
    await until('ben hears', () => events('quality').length > 0);
    expect(events('flowing')).toEqual([]);
    await inPage(ben, 'produce', 'audio');
    await consumeAll(ann, BEN);
    await until('both hear', () => events('flowing').length === 1);
  });

  it('refuses video before consent, carries it after, and stops it when consent is withdrawn', async () => {
    await newCall({ audio: true, video: false });
    await talk();
    expect(await inPage(pages.ann, 'produce', 'video')).toBe('FORBIDDEN');
    call.setPolicy({ audio: true, video: true });
    expect(await inPage(pages.ann, 'produce', 'video')).toBe('done');
    await consumeVideoOf(ANN, pages.ben);
    const received = (kind: 'audio' | 'video') => inPage(pages.ben, 'received', kind);
    await eventually(async () => (await received('video')).frames).toBeGreaterThanOrEqual(20);

    call.setPolicy({ audio: true, video: false });
    expect(told).toContainEqual(expect.objectContaining({ event: 'closed', userId: ANN, kind: 'video' }));
    // What was on its way comes in yet.
    await eventually(async () => {
      const { bytes } = await received('video');
      await pause(500);
      return (await received('video')).bytes - bytes;
    }).toBe(0);
    const audio = await received('audio');
    await eventually(async () => (await received('audio')).bytes).toBeGreaterThan(audio.bytes);
  });

  it('passes nothing on before the answer, though everything is warm', async () => {
    await newCall({ audio: false, video: false });
    await Promise.all([inPage(pages.ann, 'join'), inPage(pages.ben, 'join')]);
    expect(await inPage(pages.ann, 'produce', 'audio')).toBe('WRONG_PHASE');
    expect(await inPage(pages.ann, 'warm')).toBe('connected');
    expect(events('added')).toEqual([]);
  });

  it('brings a call back on another worker when its own dies', async () => {
    await newCall({ audio: true, video: false });
    await talk();
    await until('audio flows', () => events('flowing').length === 1);
    const dumps = await Promise.all(workers.processes.map(({ worker }) => worker.dump()));
    const serving = dumps.find(({ routerIds }) => routerIds.length === 1)!;
    process.kill(serving.pid, 'SIGKILL');
    await until('the room is told', () => events('lost').length === 1);
    await newCall({ audio: true, video: false });
    for (const page of Object.values(pages)) await inPage(page, 'leave');
    await talk();
    await until('audio flows again', () => events('flowing').length === 1);
  });

  it('keeps a call over an ICE restart', async () => {
    await newCall({ audio: true, video: false });
    await talk();
    await until('audio flows', () => events('flowing').length === 1);
    await inPage(pages.ann, 'restartIce');
    const { bytes } = await inPage(pages.ben, 'received', 'audio');
    await eventually(async () => (await inPage(pages.ben, 'received', 'audio')).bytes).toBeGreaterThan(
      bytes + 1_000,
    );
  });
});

async function consumeVideoOf(userId: string, page: Page): Promise<void> {
  const video = call.producers(userId).find(({ kind }) => kind === 'video')!;
  await inPage(page, 'consume', video.producerId);
}
