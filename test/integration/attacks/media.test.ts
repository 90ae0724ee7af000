/** The media part of the attacks, through the program's own doors: what a call room lets a client do to the SFU. */
import { execFileSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import type { Room } from '@colyseus/sdk';
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { useApp } from '../../support/app.ts';
import { Inbox, type Json, type Person } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { newMatch } from '../../support/signedIn.ts';
import { audioParameters, dtlsParameters, videoParameters } from '../media/rtpSamples.ts';
import { offerSdp } from '../media/sdpSamples.ts';

const app = useApp({ MEDIA_WORKERS: '2' });

interface Side {
  person: Person;
  room: Room;
  heard: Inbox;
  send: string;
  recv: string;
}

/** The calls of a test, ended after it: the next test's then are placed on workers with nothing on them. */
const begun: { person: Person; callId: string }[] = [];
afterEach(async () => {
  for (const { person, callId } of begun.splice(0)) await person.call('POST', `/calls/${callId}/end`);
});

/** An answered call with both people in its room and all four transports. */
async function answered(
  media: 'audio' | 'video' = 'audio',
): Promise<{ callId: string; ann: Side; bob: Side }> {
  const { ann, bob, matchId } = await newMatch(app);
  const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, { media });
  begun.push({ person: ann, callId: call.id });
  const annSide = await side(ann, await ann.sit(seat));
  const answer = await bob.ok('POST', `/calls/${call.id}/answer`, { media });
  return { callId: call.id, ann: annSide, bob: await side(bob, await bob.sit(answer.seat)) };
}

async function side(person: Person, room: Room): Promise<Side> {
  const [send, recv] = await Promise.all(
    ['send', 'recv'].map((direction) => ask(room, 'media:open', { direction })),
  );
  return { person, room, heard: new Inbox(room), send: send.id, recv: recv.id };
}

const ask = (room: Room, type: string, payload: object = {}): Promise<Json> => room.request(type, payload);

/** The code of a refusal, or `done`. */
const codeOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'done',
    (error: { reason?: { code: string } }) => error.reason?.code ?? String(error),
  );

const audio = (transportId: string, ssrc?: number) => ({
  transportId,
  kind: 'audio',
  rtpParameters: audioParameters(ssrc),
});
const video = (transportId: string) => ({ transportId, kind: 'video', rtpParameters: videoParameters() });

/** The media workers of this process, by process id. */
function workerPids(): number[] {
  const children = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)]).toString();
  return children
    .split('\n')
    .filter((line) => line.includes('mediasoup-worker'))
    .map((line) => Number.parseInt(line, 10));
}

describe('media of a call', () => {
  test('AZ-23: no video before both consented, nothing while it rings or after the end', async () => {
    const { ann, bob, callId } = await answered();
    expect(await codeOf(ask(ann.room, 'media:produce', video(ann.send)))).toBe('FORBIDDEN');
    await ann.person.ok('POST', `/calls/${callId}/end`);
    expect(await codeOf(ask(bob.room, 'media:produce', audio(bob.send)))).toBe('CALL_NOT_ACTIVE');

    const { ann: eve, matchId } = await newMatch(app);
    const { seat, call } = await eve.ok('POST', `/calls/initiate/${matchId}`, { media: 'video' });
    begun.push({ person: eve, callId: call.id });
    const ringing = await side(eve, await eve.sit(seat));
    expect(await codeOf(ask(ringing.room, 'media:produce', audio(ringing.send)))).toBe('WRONG_PHASE');
    expect(await codeOf(ask(ringing.room, 'media:produce', video(ringing.send)))).toBe('WRONG_PHASE');
  });

  test('who withdraws video, or hangs up, is not seen or heard any more, whatever keeps the commit waiting', async () => {
    const { ann, bob, callId } = await answered('video');
    const { producerId: sound } = await ask(ann.room, 'media:produce', audio(ann.send));
    const { producerId: picture } = await ask(ann.room, 'media:produce', video(ann.send));
    const db = new pg.Client(app.dbUrl);
    await db.connect();
    try {
      await db.query('begin');
      await db.query('select from calls where id = $1 for update', [callId]);
      const withdrawn = codeOf(ask(ann.room, 'call:downgrade'));
      await bob.heard.next('media:producer_closed', ({ producerId }) => producerId === picture);
      expect(await codeOf(ask(ann.room, 'media:produce', video(ann.send)))).toBe('FORBIDDEN');
      // Nor does anything that the other says meanwhile bring it back.
      const declined = codeOf(ask(bob.room, 'call:extend_decline'));
      await pause(200);
      expect(await codeOf(ask(ann.room, 'media:produce', video(ann.send)))).toBe('FORBIDDEN');
      const ended = codeOf(ask(ann.room, 'call:end'));
      await bob.heard.next('media:producer_closed', ({ producerId }) => producerId === sound);
      expect(bob.heard.ofType('call:downgraded')).toEqual([]);
      await db.query('rollback');
      expect(['done', 'UNAVAILABLE']).toContain(await withdrawn);
      expect(['done', 'UNAVAILABLE']).toContain(await ended);
      await declined;
    } finally {
      await db.end();
    }
  });

  test('AZ-25: the other’s transports and producers are not there', async () => {
    const { ann, bob } = await answered();
    const { producerId } = await ask(bob.room, 'media:produce', audio(bob.send));
    const { rtpCapabilities } = await ask(ann.room, 'media:capabilities');
    const attempts: [string, object][] = [
      ['media:connect', { transportId: bob.send, dtlsParameters: dtlsParameters() }],
      ['media:produce', audio(bob.send, 999)],
      ['media:restart_ice', { transportId: bob.recv }],
      ['media:pause', { id: producerId }],
      ['media:close', { id: producerId }],
    ];
    for (const [type, payload] of attempts) {
      expect([type, await codeOf(ask(ann.room, type, payload))]).toEqual([type, 'NOT_FOUND']);
    }
    // One's own cannot be consumed, and what is another call's does not exist.
    expect(await codeOf(ask(bob.room, 'media:consume', { producerId, rtpCapabilities }))).toBe('NOT_FOUND');
    const other = await answered();
    expect(await codeOf(ask(other.ann.room, 'media:consume', { producerId, rtpCapabilities }))).toBe(
      'NOT_FOUND',
    );
    expect(await codeOf(ask(ann.room, 'media:consume', { producerId, rtpCapabilities }))).toBe('done');
  });

  test('never more than two transports, two producers and two consumers a person', async () => {
    const { ann } = await answered();
    const opened = await Promise.all(
      Array.from({ length: 200 }, () => codeOf(ask(ann.room, 'media:open', { direction: 'send' }))),
    );
    expect(opened).toContain('CONFLICT');
    const { id } = await ask(ann.room, 'media:open', { direction: 'send' });
    const produced = await Promise.all(
      Array.from({ length: 200 }, (_, i) => codeOf(ask(ann.room, 'media:produce', audio(id, 50_000 + i)))),
    );
    expect(produced.filter((code) => code === 'done')).toHaveLength(1);
    expect(new Set(produced)).toEqual(new Set(['done', 'CONFLICT']));
  });

  test('PV-08: nothing that a client receives holds an address but the SFU’s own', async () => {
    const { ann, bob } = await answered();
    const hidden = '192.0.2.55';
    const candidate = `candidate:1 1 udp 2122260223 ${hidden} 54321 typ host`;
    await ask(bob.room, 'call:ice_candidate', { candidate: { candidate, sdpMid: '0' } });
    const { producerId } = await ask(bob.room, 'media:produce', audio(bob.send));
    const received: unknown[] = [await ask(ann.room, 'media:capabilities')];
    const { rtpCapabilities } = received[0] as Json;
    received.push(await ask(ann.room, 'media:consume', { producerId, rtpCapabilities }));
    await ann.heard.next('media:producer');
    // A description with addresses of its own, as a browser makes it.
    const sdp = offerSdp().replace('c=IN IP4 0.0.0.0', `c=IN IP4 ${hidden}\r\na=${candidate}`);
    expect(await codeOf(ask(bob.room, 'call:sdp_offer', { sdp }))).toBe('done');
    await bob.heard.next('call:sdp_answer');
    received.push(await ask(ann.room, 'media:open', { direction: 'send' }), ann.heard.events, ann.room.state);
    const addresses = JSON.stringify(received).match(/\b\d{1,3}(?:\.\d{1,3}){3}\b/g);
    expect(new Set(addresses)).toEqual(new Set(['127.0.0.1']));
  });

  test('1,000 tries to open more leave one transport each way', async () => {
    const { ann } = await answered();
    const opened: string[] = [];
    for (let wave = 0; wave < 10; wave += 1) {
      const tries = Array.from({ length: 100 }, (_, i) =>
        ask(ann.room, 'media:open', { direction: i % 2 === 0 ? 'send' : 'recv' }).catch(() => undefined),
      );
      opened.push(...(await Promise.all(tries)).filter((answer) => answer !== undefined).map(({ id }) => id));
      // More than 500 messages a second end the connection.
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect(opened.length).toBeGreaterThan(0);
    // Only the last of each direction is still there.
    const codes = await Promise.all(
      opened.slice(-200).map((transportId) => codeOf(ask(ann.room, 'media:restart_ice', { transportId }))),
    );
    expect(codes.filter((code) => code === 'done')).toHaveLength(2);
    expect(new Set(codes)).toEqual(new Set(['done', 'NOT_FOUND']));
  });

  test('FT-21: what would wedge a worker is refused, and others can call', async () => {
    const { ann } = await answered();
    const before = workerPids();
    const wedges = [
      { maxBitrate: 1.5 },
      { maxBitrate: -1 },
      { ssrc: 2 ** 32 },
      { ssrc: 1.5 },
      { rtx: { ssrc: 0.1 } },
    ];
    for (const wedge of wedges) {
      const rtpParameters = { ...audioParameters(), encodings: [{ ssrc: 4_242, ...wedge }] };
      const asked = ask(ann.room, 'media:produce', { ...audio(ann.send), rtpParameters });
      expect([wedge, await codeOf(asked)]).toEqual([wedge, 'VALIDATION_FAILED']);
    }
    const other = await answered();
    expect(await codeOf(ask(other.ann.room, 'media:produce', audio(other.ann.send)))).toBe('done');
    expect(await codeOf(ask(ann.room, 'media:produce', audio(ann.send)))).toBe('done');
    expect(workerPids()).toEqual(before);
  });
});

describe('a media worker', () => {
  for (const [name, signal] of [
    ['FT-19: killed', 'SIGKILL'],
    ['FT-20: stopped', 'SIGSTOP'],
  ] as const) {
    test(`${name}: its call is told and served again, the other notices nothing`, async () => {
      // One on each worker: a call goes where the fewest are.
      const calls = [await answered(), await answered()];
      for (const { ann } of calls) await ask(ann.room, 'media:produce', audio(ann.send));
      const isShownToSpeak = ({ person, room }: Side) => (room.state as Json).people.get(person.id).audio;
      const [victim] = workerPids();
      process.kill(victim!, signal);
      const hit = await Promise.any(
        calls.map(async (call) => {
          await call.ann.heard.next('media:restart');
          return call;
        }),
      );
      expect(isShownToSpeak(hit.ann)).toBe(false);
      const { id } = await ask(hit.ann.room, 'media:open', { direction: 'send' });
      expect(await codeOf(ask(hit.ann.room, 'media:produce', audio(id)))).toBe('done');
      await hit.bob.heard.next('media:producer');

      const spared = calls.find((call) => call !== hit)!;
      expect(isShownToSpeak(spared.ann)).toBe(true);
      expect(spared.ann.heard.ofType('media:restart')).toEqual([]);
      await eventually(() => workerPids().filter((pid) => pid !== victim).length).toBe(2);
    });
  }
});
