/**
 * How many calls one media worker carries with less than 1 % of packets lost, with real RTP over UDP and no browsers:
 * the pool's worker under its watchdog, against a bare mediasoup worker in the same run; and how many calls a second are
 * set up. Plain RTP: SRTP, which WebRTC adds, costs both the same. The sender, the receiver and both workers share the
 * machine, so the ratio carries over and the figures do not.
 *
 *   node loadtest/rtpForwarding.ts [seconds a step = 3] [most calls = 400] [audio (default) | video: with audio]
 */
import type * as mediasoup from 'mediasoup';
import { SystemClock } from '../src/clock.ts';
import { createLog } from '../src/log.ts';
import { ROUTER_CODECS } from '../src/media/codecs.ts';
import { MediaWorkers } from '../src/media/MediaWorkers.ts';
import { MEDIA_MESSAGES } from '../src/media/messages.ts';
import { spawnWorker } from '../src/media/spawnWorker.ts';
import { audioParameters } from '../test/integration/media/rtpSamples.ts';
import { type Kind, lossOf, RtpLeg } from './RtpLeg.ts';

const stepSec = Number(process.argv[2] ?? 3);
const mostCalls = Number(process.argv[3] ?? 400);
const kinds: Kind[] = process.argv[4] === 'video' ? ['audio', 'video'] : ['audio'];
const LOSS_LIMIT = 0.01;
const FIRST_CALLS = kinds.length === 2 ? 10 : 25;
const SET_UPS = 200;
const AT_ONCE = 10;

/** The most calls below the limit, in steps that grow by half; and the worker's CPU seconds per call and second. */
async function measure(
  name: string,
  worker: mediasoup.types.Worker,
): Promise<{ calls: number; cpu: number }> {
  const legs: RtpLeg[] = [];
  let ssrc = 1_000;
  let best = { calls: 0, cpu: 0 };
  for (let calls = FIRST_CALLS; calls <= mostCalls; calls = Math.ceil(calls * 1.5)) {
    while (legs.length < calls * 2 * kinds.length) {
      const router = await worker.createRouter({ mediaCodecs: ROUTER_CODECS });
      for (const kind of [...kinds, ...kinds]) {
        ssrc += 1;
        legs.push(await RtpLeg.through(router, kind, ssrc));
      }
    }
    const before = await worker.getResourceUsage();
    const loss = await lossOf(legs, stepSec);
    const after = await worker.getResourceUsage();
    const usedMs = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime;
    const cpu = usedMs / 1000 / stepSec / calls;
    console.log(
      `${name}: ${calls} calls, ${(loss * 100).toFixed(2)} % lost, ${(cpu * 1e6).toFixed(0)} µs CPU a call and second`,
    );
    if (loss >= LOSS_LIMIT) break;
    best = { calls, cpu };
  }
  for (const leg of legs) leg.close();
  return best;
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
      ...{ connectionChanged: silent, quality: silent, videoStepped: silent, lost: silent },
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

const bare = await spawnWorker();
const log = createLog('silent');
const pool = await MediaWorkers.start({
  count: 1,
  listenIp: '127.0.0.1',
  basePort: 0,
  log,
  clock: new SystemClock(),
});
console.log(`Calls set up: ${(await setUpRate(pool)).toFixed(0)} a second`);
const ours = await measure('with its pool', pool.processes[0]!.worker);
const theirs = await measure('bare worker', bare);
await pool.close();
bare.close();
// At the top of the ladder nothing was saturated, and the first ratio says nothing.
if (ours.calls * 1.5 > mostCalls) console.log('No limit was reached: allow for more calls.');
console.log(
  `Calls (${kinds.join(' and ')}) below 1 % of loss: ${ours.calls} against ${theirs.calls}, ratio ${(ours.calls / theirs.calls).toFixed(2)}`,
);
console.log(
  `By the worker's CPU a core carries ${Math.round(1 / ours.cpu)} against ${Math.round(1 / theirs.cpu)} calls, ratio ${(theirs.cpu / ours.cpu).toFixed(2)}`,
);
process.exit(0);
