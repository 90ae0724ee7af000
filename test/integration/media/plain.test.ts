import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { useApp } from '../../support/app.ts';
import type { Person } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { newMatch } from '../../support/signedIn.ts';
import { type CallPage, CallPages } from './callPages.ts';

const app = useApp();
let pages: CallPages;
let plain: CallPage;
let partner: CallPage;

beforeAll(async () => {
  pages = await CallPages.open(app.url);
});
afterAll(() => pages?.close());
afterEach(() => Promise.all([plain?.close(), partner?.close()]));

/** Ann calls Bob with a bare RTCPeerConnection; it rings. */
async function ring(): Promise<{ ann: Person; bob: Person; callId: string }> {
  const { ann, bob, matchId } = await newMatch(app);
  const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  plain = await pages.sit('plain', ann, seat);
  return { ann, bob, callId: call.id };
}

async function answer(bob: Person, callId: string, script: 'sfu' | 'plain' = 'sfu'): Promise<void> {
  const { seat } = await bob.ok('POST', `/calls/${callId}/answer`, {});
  partner = await pages.sit(script, bob, seat);
}

const phaseOf = async (person: Person, callId: string) =>
  (await person.ok('GET', `/calls/${callId}`)).call.phase as string;

interface State {
  connectionState: string;
  signalingState: string;
  /** Own and the server's. */
  ufrags: string[];
  directions: string[];
  refusals: string[];
  localSdp: string;
}

const stateOf = (page: CallPage): Promise<State> => page.do('connection');

async function talking(script?: 'plain'): Promise<{ ann: Person; bob: Person; callId: string }> {
  const call = await ring();
  await plain.do('send', 'audio');
  await answer(call.bob, call.callId, script);
  await partner.do('send', 'audio');
  await Promise.all([plain.hears('audio', { bytes: 2_000 }), partner.hears('audio', { bytes: 2_000 })]);
  return call;
}

describe('a bare RTCPeerConnection', { timeout: 60_000 }, () => {
  it('talks with somebody on mediasoup-client, AES-GCM first, and the clock starts', async () => {
    const { ann, callId } = await talking();
    expect(await plain.do('received', 'audio')).toMatchObject({ cipher: expect.stringMatching(/GCM$/) });
    expect(await phaseOf(ann, callId)).toBe('active');
    expect(await plain.do('connection')).toMatchObject({ signalingState: 'stable', refusals: [] });
  });

  it('connects while it rings, and sends nothing that anybody gets before the answer', async () => {
    const { bob, callId } = await ring();
    await plain.do('send', 'audio');
    await eventually(async () => (await stateOf(plain)).connectionState).toBe('connected');
    expect((await stateOf(plain)).directions).toEqual(['inactive']);
    await answer(bob, callId);
    await partner.hears('audio', { bytes: 1_000 });
    expect((await stateOf(plain)).directions).toEqual(['sendonly']);
  });

  it('talks with another one, and sees its camera once both consented, and no longer', async () => {
    const { ann, bob, callId } = await talking('plain');
    // A camera without consent: the m-line is answered as inactive.
    await plain.do('send', 'video');
    await eventually(async () => (await stateOf(plain)).signalingState).toBe('stable');
    expect(await partner.do('received', 'video')).toMatchObject({ bytes: 0 });

    await ann.ok('POST', `/calls/${callId}/upgrade`);
    expect((await bob.ok('POST', `/calls/${callId}/upgrade`)).call.media).toBe('video');
    await partner.hears('video', { frames: 10 });
    await partner.do('send', 'video');
    await plain.hears('video', { frames: 10 });

    expect(await plain.ask('call:downgrade')).toBe('done');
    await eventually(() => partner.flow('video', 500)).toBe(0);
    await eventually(() => plain.flow('video', 500)).toBe(0);
    await eventually(() => plain.flow('audio', 500)).toBeGreaterThan(500);
    for (const page of [plain, partner]) expect((await stateOf(page)).signalingState).toBe('stable');
  });

  it('gets through two offers that cross', async () => {
    const { ann, bob, callId } = await talking();
    await ann.ok('POST', `/calls/${callId}/upgrade`);
    await bob.ok('POST', `/calls/${callId}/upgrade`);
    for (let round = 0; round < 3; round += 1) {
      await Promise.all([plain.do('send', 'video'), partner.do('send', 'video')]);
      await Promise.all([plain.hears('video', { frames: 5 }), partner.hears('video', { frames: 5 })]);
      await plain.do('stop', 'video');
      await partner.do('stop', 'video');
    }
    // The last of it may still be on its way.
    await eventually(async () => (await stateOf(plain)).signalingState).toBe('stable');
    await eventually(() => plain.flow('audio', 500)).toBeGreaterThan(500);
  });

  it('restarts ICE: new credentials on both sides, the same call', async () => {
    const { ann, callId } = await talking();
    const before = await stateOf(plain);
    await plain.do('restartIce');
    await eventually(async () => (await stateOf(plain)).ufrags[1]).not.toBe(before.ufrags[1]);
    const after = await stateOf(plain);
    expect(after.ufrags[0]).not.toBe(before.ufrags[0]);
    await eventually(async () => (await stateOf(plain)).connectionState).toBe('connected');
    await eventually(() => plain.flow('audio', 1_000)).toBeGreaterThan(1_000);
    await eventually(() => partner.flow('audio', 1_000)).toBeGreaterThan(1_000);
    expect(await phaseOf(ann, callId)).toBe('active');
    expect(after.refusals).toEqual([]);
  });

  it('puts the other on hold, and hears again', async () => {
    await talking();
    await plain.do('take', 'audio', 'inactive');
    await eventually(() => plain.flow('audio', 300)).toBe(0);
    await eventually(() => partner.flow('audio', 500)).toBeGreaterThan(500);
    await plain.do('take', 'audio', 'recvonly');
    await eventually(() => plain.flow('audio', 300)).toBeGreaterThan(300);
    expect(await stateOf(plain)).toMatchObject({ signalingState: 'stable', refusals: [] });
  });

  it('stops the m-line of the other’s camera, and sees the next picture in another', async () => {
    const { ann, bob, callId } = await talking('plain');
    await ann.ok('POST', `/calls/${callId}/upgrade`);
    await bob.ok('POST', `/calls/${callId}/upgrade`);
    await partner.do('send', 'video');
    await plain.hears('video', { frames: 5 });
    for (let round = 0; round < 2; round += 1) {
      await plain.do('refuse', 'video');
      await eventually(() => plain.flow('video', 300)).toBe(0);
      await partner.do('stop', 'video');
      await partner.do('send', 'video');
      await eventually(() => plain.flow('video', 300)).toBeGreaterThan(300);
    }
    // Whatever it offers with a stopped m-line in it is taken, and its own camera has the place of that.
    await plain.do('refuse', 'video');
    await eventually(async () => (await stateOf(plain)).directions).toHaveLength(2);
    await plain.do('send', 'video');
    await partner.hears('video', { frames: 5 });
    await plain.do('restartIce');
    await eventually(() => plain.flow('audio', 1_000)).toBeGreaterThan(500);
    expect(await stateOf(plain)).toMatchObject({ signalingState: 'stable', refusals: [] });
  });

  it('gives its microphone up, and sends another', async () => {
    await talking();
    for (let round = 0; round < 2; round += 1) {
      await plain.do('stop', 'audio');
      await eventually(() => partner.flow('audio', 300)).toBe(0);
      await plain.do('send', 'audio');
      await eventually(() => partner.flow('audio', 300)).toBeGreaterThan(300);
      await eventually(() => plain.flow('audio', 500)).toBeGreaterThan(300);
    }
    expect(await stateOf(plain)).toMatchObject({ signalingState: 'stable', refusals: [] });
  });

  it('makes a new connection in the same seat', async () => {
    await talking();
    await plain.do('renew');
    await plain.do('send', 'audio');
    await Promise.all([plain.hears('audio', { bytes: 2_000 })]);
    await eventually(() => partner.flow('audio', 1_000)).toBeGreaterThan(1_000);
  });

  it('answers nonsense with a code, and goes on', async () => {
    await talking();
    const sdp = (await stateOf(plain)).localSdp;
    const refused: [string, object, string][] = [
      ['call:sdp_offer', {}, 'VALIDATION_FAILED'],
      ['call:sdp_offer', { sdp: '' }, 'VALIDATION_FAILED'],
      ['call:sdp_offer', { sdp: 'v=0' }, 'VALIDATION_FAILED'],
      ['call:sdp_offer', { sdp: 'x'.repeat(40_000) }, 'VALIDATION_FAILED'],
      ['call:sdp_offer', { sdp: sdp.replace(/^a=mid:.*$/gm, 'a=mid:7') }, 'VALIDATION_FAILED'],
      ['call:sdp_answer', { sdp }, 'CONFLICT'],
      ['call:ice_candidate', { candidate: { candidate: 'x'.repeat(600) } }, 'VALIDATION_FAILED'],
      ['call:ice_candidate', { candidate: null }, 'done'],
    ];
    for (const [type, payload, code] of refused)
      expect([type, await plain.ask(type, payload)]).toEqual([type, code]);
    await eventually(() => plain.flow('audio', 500)).toBeGreaterThan(500);
    await eventually(() => partner.flow('audio', 500)).toBeGreaterThan(500);
  });
});
