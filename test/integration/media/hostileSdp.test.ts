import sdpTransform from 'sdp-transform';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SystemClock } from '../../../src/clock.ts';
import type { CallMedia } from '../../../src/media/CallMedia.ts';
import type { MediaWorkers } from '../../../src/media/MediaWorkers.ts';
import { PlainPeers } from '../../../src/media/plain/PlainPeers.ts';
import { MAX_LINE_CHARS, readSession } from '../../../src/media/plain/readSession.ts';
import { ANN, AUDIO, BEN, codeOf, createCall, startWorkers } from './harness.ts';
import { offerSdp } from './sdpSamples.ts';

let workers: MediaWorkers;

beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(() => workers.close());

async function plainCall(policy = { audio: true, video: true }) {
  const { call } = await createCall(workers, policy);
  const said: { userId: string; type: string; sdp: string }[] = [];
  const peers = new PlainPeers({
    media: call,
    people: [ANN, BEN],
    clock: new SystemClock(),
    say: (userId, type, sdp) => said.push({ userId, type, sdp }),
  });
  return { call, peers, said };
}

/** A generator of numbers below 1 that repeats with its seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const SPOILERS = [
  '',
  '0',
  '-1',
  '1.5',
  '4294967296',
  '99999999999999999999',
  'NaN',
  '__proto__',
  '\0',
  ' ',
  '🙂',
];

/** The text with a few of its lines dropped, doubled, swapped, or spoiled in one word. */
function mutated(sdp: string, next: () => number): string {
  const lines = sdp.split('\r\n');
  const at = () => Math.floor(next() * lines.length);
  for (let times = 1 + Math.floor(next() * 4); times > 0; times -= 1) {
    const [one, other, how] = [at(), at(), next()];
    if (how < 0.2) lines.splice(one, 1);
    else if (how < 0.35) lines.splice(other, 0, lines[one]!);
    else if (how < 0.5) [lines[one], lines[other]] = [lines[other]!, lines[one]!];
    else {
      const words = lines[one]!.split(/(?<=[ :=/;])/);
      words[Math.floor(next() * words.length)] = SPOILERS[Math.floor(next() * SPOILERS.length)]!;
      lines[one] = words.join('');
    }
  }
  return lines.join('\r\n');
}

const othersWork = async (call: CallMedia) => {
  const { id } = await call.open(BEN, 'send');
  return codeOf(call.produce(BEN, id, 'audio', AUDIO(7_777_777)));
};

describe('session descriptions of strangers', { timeout: 120_000 }, () => {
  it('are answered with the server’s own lines and nothing of the client’s text', async () => {
    const { call, peers, said } = await plainCall();
    await peers.offer(ANN, offerSdp({ video: true }));
    const [{ type, sdp } = { type: '', sdp: '' }] = said;
    expect(type).toBe('call:sdp_answer');
    expect(sdp.match(/^a=(?:recvonly|sendrecv|inactive|setup:\w+)/gm)).toEqual([
      'a=setup:passive',
      'a=recvonly',
      'a=setup:passive',
      'a=recvonly',
    ]);
    expect(sdp).not.toMatch(/iWrKffz9ZPhJ32wt|4b85c189|H264|red\/|sdes:mid/);
    expect(call.producers(ANN).map(({ kind }) => kind)).toEqual(['audio', 'video']);
    call.close();
  });

  it('2,000 mutations: each a code, no worker wedged or dead, others are served', async () => {
    const next = random(20_261_122);
    const pid = workers.processes[0]!.worker.pid;
    const codes = new Map<string, number>();
    const { call, peers } = await plainCall();
    for (let round = 0; round < 2_000; round += 1) {
      const sdp = mutated(offerSdp({ video: round % 2 === 0, ssrc: 10_000 + round * 3 }), next);
      const code = await codeOf(Promise.resolve().then(() => peers.offer(ANN, sdp)));
      codes.set(code, (codes.get(code) ?? 0) + 1);
      // The next one is a new client's: its m-lines need not keep the places of these.
      peers.leave(ANN);
      call.leave(ANN);
      if (round % 500 === 0) expect(await othersWork(call)).toBe('done');
    }
    expect(
      [...codes.keys()].filter((code) => !['done', 'VALIDATION_FAILED', 'CONFLICT'].includes(code)),
    ).toEqual([]);
    expect(codes.get('VALIDATION_FAILED')).toBeGreaterThan(300);
    expect(codes.get('done')).toBeGreaterThan(300);
    expect(await othersWork(call)).toBe('done');
    expect(workers.processes[0]!.worker.pid).toBe(pid);
    expect(workers.health.alive).toBe(1);
    call.close();
  });

  it('never reach the parser with what it takes long for: lines that are long, strange or far too many', async () => {
    const parsed = vi.spyOn(sdpTransform, 'parse');
    const hostile = [
      `a=simulcast: ${' '.repeat(30_000)}`,
      `a=imageattr:* send ${'[x] '.repeat(7_000)}`,
      `${'m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n'.repeat(900)}`,
      `${'a=rtpmap:111 opus/48000/2\r\n'.repeat(790)}`,
      `m=audio 9 UDP/TLS/RTP/SAVPF ${'1 '.repeat(15_000)}`,
    ];
    const codes = [];
    for (const text of hostile) {
      const read = Promise.resolve().then(() => readSession(`${offerSdp()}${text}`.slice(0, 32_768)));
      codes.push(await codeOf(read));
    }
    // Of lines that are not used it is given none; what is too long, or too much, it is not given at all.
    expect(codes).toEqual(['done', 'done', ...Array(3).fill('VALIDATION_FAILED')]);
    expect(parsed.mock.calls).toHaveLength(2);
    const lines = parsed.mock.calls.flatMap(([sdp]) => sdp.split('\r\n'));
    parsed.mockRestore();
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(MAX_LINE_CHARS);
    expect(lines.filter((line) => /^a=(?:simulcast|imageattr)/.test(line))).toEqual([]);
  });

  it('ask for no more than consent gives', async () => {
    const { call, peers, said } = await plainCall({ audio: false, video: false });
    await peers.offer(ANN, offerSdp({ video: true }));
    expect(call.producers()).toEqual([]);
    expect(said[0]!.sdp).not.toMatch(/^a=(?:recvonly|sendrecv)/m);
    call.setPolicy({ audio: true, video: false });
    await peers.offer(ANN, offerSdp({ video: true }));
    expect(call.producers().map(({ kind }) => kind)).toEqual(['audio']);
    // Everything of one person's is on one transport, however often it offers.
    for (let i = 0; i < 20; i += 1) await peers.offer(ANN, offerSdp({ video: true }));
    const dump = await workers.processes[0]!.worker.dump();
    expect(dump.webRtcServerIds).toHaveLength(1);
    const server = await workers.processes[0]!.server.dump();
    expect(server.webRtcTransportIds).toHaveLength(1);
    expect(call.producers()).toHaveLength(1);
    await expect(Promise.resolve().then(() => peers.offer('eve', offerSdp()))).rejects.toThrow();
    call.close();
  });
});
