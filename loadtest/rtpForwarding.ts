/**
 * What forwarding costs one media worker, with real RTP over UDP and no browsers: the pool's worker under its watchdog,
 * against a bare mediasoup worker; and how many calls a second are set up. Plain RTP: SRTP, which WebRTC adds, costs both
 * the same.
 *
 * Both workers carry the same calls, in turns of a second: whatever else the machine does falls on both. Two turns, one
 * of each, are a pair, and each pair has a ratio of processor time a packet; their median is the result.
 *
 *   npm run node -- loadtest/rtpForwarding.ts [pairs a step = 15] [calls at each step = 25,75,150] [audio (default) | video: with audio]
 *     [bare (default) | janus: beside Janus in place of a bare worker]
 */
import type * as mediasoup from 'mediasoup';
import { SystemClock } from '../src/clock.ts';
import { createLog } from '../src/log.ts';
import { ROUTER_CODECS } from '../src/media/codecs.ts';
import { MediaWorkers } from '../src/media/MediaWorkers.ts';
import { MEDIA_MESSAGES } from '../src/media/messages.ts';
import { spawnWorker } from '../src/media/spawnWorker.ts';
import { audioParameters } from '../test/integration/media/rtpSamples.ts';
import { cpuNsOf, JanusServer } from './JanusServer.ts';
import { type Kind, RtpLeg, sendThrough } from './RtpLeg.ts';

const pairs = Number(process.argv[2] ?? 15);
const steps = (process.argv[3] ?? '25,75,150').split(',').map(Number);
const kinds: Kind[] = process.argv[4] === 'video' ? ['audio', 'video'] : ['audio'];
const peer = process.argv[5] === 'janus' ? 'Janus' : 'a bare worker';
const TURN_SEC = 1;
const SET_UPS = 200;
const AT_ONCE = 10;

/** What forwards: a process, and how a call's legs come to go through it. */
type Forwarder = { pid: number; openCall: () => Promise<RtpLeg[]> };

/** A forwarder with calls of plain RTP through it. */
class Loaded {
  readonly #forwarder: Forwarder;
  #calls = 0;
  readonly #legs: RtpLeg[] = [];
  sent = 0;
  received = 0;
  cpuNs = 0;

  constructor(forwarder: Forwarder) {
    this.#forwarder = forwarder;
  }

  /** Adds calls until there are so many, and begins to count anew. */
  async grow(calls: number): Promise<void> {
    for (; this.#calls < calls; this.#calls += 1) this.#legs.push(...(await this.#forwarder.openCall()));
    this.sent = 0;
    this.received = 0;
    this.cpuNs = 0;
  }

  /** Sends for a turn; → processor time a forwarded packet, ns. */
  async turn(): Promise<number> {
    const before = cpuNsOf(this.#forwarder.pid);
    const { sent, received } = await sendThrough(this.#legs, TURN_SEC);
    const usedNs = cpuNsOf(this.#forwarder.pid) - before;
    this.sent += sent;
    this.received += received;
    this.cpuNs += usedNs;
    return usedNs / received;
  }

  close(): void {
    for (const leg of this.#legs) leg.close();
  }
}

/** A worker forwards a call through a router of its own. */
function forwarderOf(worker: mediasoup.types.Worker): Forwarder {
  return {
    pid: worker.pid,
    openCall: async () => {
      const router = await worker.createRouter({ mediaCodecs: ROUTER_CODECS });
      return Promise.all([...kinds, ...kinds].map((kind, i) => RtpLeg.through(router, kind, 1_000 + i)));
    },
  };
}

async function startPeer(): Promise<[Forwarder, close: () => unknown]> {
  if (peer === 'Janus') {
    const janus = await JanusServer.start();
    return [{ pid: janus.pid, openCall: () => janus.openCall(kinds) }, () => janus.close()];
  }
  const worker = await spawnWorker();
  return [forwarderOf(worker), () => worker.close()];
}

/** The pairs of one step; → the peer's cost a packet as a ratio to the pool's, for each. */
async function compare(calls: number, ours: Loaded, theirs: Loaded): Promise<number[]> {
  await ours.grow(calls);
  await theirs.grow(calls);
  const ratios: number[] = [];
  for (let i = 0; i < pairs; i += 1) {
    // The first of the two is another one each time.
    if (i % 2 === 0) {
      const cost = await ours.turn();
      ratios.push((await theirs.turn()) / cost);
    } else {
      const cost = await theirs.turn();
      ratios.push(cost / (await ours.turn()));
    }
  }
  const lost = ({ sent, received }: Loaded) => `${(100 * (1 - received / sent)).toFixed(2)} %`;
  const cost = ({ cpuNs, received }: Loaded) => `${(cpuNs / received / 1000).toFixed(1)} µs`;
  const carries = Math.round((calls * TURN_SEC * pairs * 1e9) / ours.cpuNs);
  console.log(
    `${calls} calls: the pool's worker lost ${lost(ours)}, ${cost(ours)} a packet; ${peer} ${lost(theirs)}, ${cost(theirs)}; ratio ${spread(ratios)}; by its time a core carries ${carries} calls`,
  );
  return ratios;
}

/** Median, quartiles, and the interval that holds the true median in 95 of 100 runs (by order statistics). */
function spread(values: number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  const reach = 0.98 / Math.sqrt(values.length);
  const [low, high] = [at(Math.max(0, 0.5 - reach)), at(Math.min(1, 0.5 + reach))];
  const told = [at(0.5), at(0.25), at(0.75), low, high].map((value) => value.toFixed(3));
  return `${told[0]} (quartiles ${told[1]} to ${told[2]}, 95 %: ${told[3]} to ${told[4]}, ${values.length} pairs)`;
}

/** Everything that a call has in the SFU, as the room asks for it; → calls a second. */
async function setUpRate(pool: MediaWorkers): Promise<number> {
  const silent = () => {};
  const one = async () => {
    const bothSend = Promise.withResolvers<void>();
    let added = 0;
    const producerAdded = () => {
      added += 1;
      if (added === 2) bothSend.resolve();
    };
    const port = {
      ...{ producerAdded, producerPaused: silent, producerClosed: silent, flowing: silent },
      ...{ quality: silent, videoStepped: silent, lost: silent },
    };
    const call = await pool.createCall({
      people: ['ann', 'ben'],
      port,
      policy: { audio: true, video: false },
    });
    await Promise.all(
      ['ann', 'ben'].map(async (person) => {
        const [{ id: transportId }] = await Promise.all([
          call.open(person, 'send'),
          call.open(person, 'recv'),
        ]);
        const { rtpParameters, rtpCapabilities } = MEDIA_MESSAGES['media:prepare'].parse({
          transportId,
          rtpParameters: audioParameters(),
          rtpCapabilities: call.rtpCapabilities,
        });
        call.prepare(person, transportId, rtpParameters, rtpCapabilities);
      }),
    );
    await bothSend.promise;
    call.close();
  };
  const startedAt = performance.now();
  for (let done = 0; done < SET_UPS; done += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, one));
  return SET_UPS / ((performance.now() - startedAt) / 1000);
}

const log = createLog('silent');
const pool = await MediaWorkers.start({
  count: 1,
  listenIp: '127.0.0.1',
  basePort: 0,
  log,
  clock: new SystemClock(),
});
const [other, closeOther] = await startPeer();
const [ours, theirs] = [new Loaded(forwarderOf(pool.processes[0]!.worker)), new Loaded(other)];
const ratios: number[] = [];
for (const calls of steps) ratios.push(...(await compare(calls, ours, theirs)));
console.log(`Calls of ${kinds.join(' and ')}, all steps: ratio ${spread(ratios)}`);
for (const loaded of [ours, theirs]) loaded.close();
console.log(`Calls set up: ${(await setUpRate(pool)).toFixed(0)} a second`);
await pool.close();
await closeOther();
process.exit(0);
