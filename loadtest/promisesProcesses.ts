/** Promises about processes that stand still or are told to end: a media worker, and Duet itself. */
import { workersOf } from '../test/integration/media/Crowd.ts';
import { type Couple, newMatch, type Talk } from '../test/support/signedIn.ts';
import {
  again,
  at,
  GIVE_UP_MS,
  hearing,
  isUnavailable,
  metric,
  momentOf,
  type Provoke,
  pause,
  told,
} from './PromiseWorld.ts';

const WORKERS = 6;
const ENDS = 5;
const DRAIN_SEC = 2;
/** Asked after the first refusal. */
const REFUSALS = 10;
const ASK_EVERY_MS = 10;
/** More than fit in before a signal arrives. */
const MATCHES = 20;

export const PROCESS_PROMISES: Record<string, Provoke> = {
  'FT-20': async (world, row) => {
    const heard = row({
      what: 'FT-20 a media worker stands still (SIGSTOP): its call has media again',
      withinMs: 3_000,
    });
    const replaced = row({ what: 'FT-20 … and another worker is in its place', withinMs: 3_000 });
    // Each is stopped once: one that is lost again and again is replaced later and later.
    const server = await world.startProcess({ MEDIA_WORKERS: `${WORKERS}` });
    const alive = () => metric(server.url, 'duet_media_workers');
    const open = ({ atAnn }: Talk) => atAnn.room.request('media:open', { direction: 'send' });
    const talks: Talk[] = [];
    while (talks.length < WORKERS) {
      const talk = await world.talkAt(server);
      await heard.time(() => open(talk), heard.usualMs);
      talks.push(talk);
    }
    for (const stopped of workersOf(server.pid)) {
      const startedAt = performance.now();
      process.kill(stopped, 'SIGSTOP');
      const isReplaced = momentOf(async () => (await alive()) < WORKERS).then(() =>
        momentOf(async () => (await alive()) === WORKERS),
      );
      const hit = await Promise.any(
        talks.map(async (talk) => {
          await talk.atAnn.next('media:restart', undefined, GIVE_UP_MS);
          return talk;
        }),
      );
      await open(hit);
      heard.tookMs.push(performance.now() - startedAt);
      replaced.tookMs.push((await isReplaced) - startedAt);
      replaced.check(!workersOf(server.pid).includes(stopped), () => 'it is still there');
      talks.splice(talks.indexOf(hit), 1);
      const others = talks.filter(({ atAnn }) => atAnn.ofType('media:restart').length > 0);
      heard.check(others.length === 0, () => 'calls of other workers noticed it');
      const { call } = await hit.bob.ok('POST', `/calls/${hit.callId}/end`);
      heard.check(call.outcome === 'completed', () => `the call ended as ${call.outcome}`);
    }
    await server.kill();
  },

  'FT-23': async (world, row) => {
    const first = row({ what: 'FT-23 SIGTERM with a live call: the first new call is 503', withinMs: 100 });
    const refused = row({ what: 'FT-23 … every further one', withinMs: 100 });
    const over = row({
      what: `FT-23 … the process is gone, after its deadline of ${DRAIN_SEC} s`,
      withinMs: 1_000,
    });
    for (let i = 0; i < ENDS; i++) {
      const ending = await world.startProcess({ DRAIN_SEC: `${DRAIN_SEC}` });
      const { ann, bob, callId, atAnn } = await world.talkAt(ending);
      const couples: Couple[] = [];
      while (couples.length < MATCHES) couples.push(await newMatch({ url: ending.url, dbUrl: world.dbUrl }));
      const call = ({ ann, matchId } = couples.pop()!) => ann.call('POST', `/calls/initiate/${matchId}`, {});
      await first.time(call, first.usualMs);
      const startedAt = performance.now();
      const gone = ending.exited.then((code) => ({ code, at: performance.now() }));
      const stopping = ending.stop('SIGTERM');
      const asked: ReturnType<typeof call>[] = [];
      let isRefused = false;
      while (!isRefused && couples.length > 1) {
        const asking = call().then((answer) => {
          if (answer.status !== 201 && !isRefused) first.tookMs.push(performance.now() - startedAt);
          isRefused ||= answer.status !== 201;
          return answer;
        });
        asked.push(asking);
        // One does not wait for the other: what is on its way as the signal comes may take longer.
        await Promise.race([asking, pause(ASK_EVERY_MS)]);
      }
      const couple = couples.pop();
      for (let k = 0; k < REFUSALS; k++) {
        const further = await refused.time(() => call(couple));
        refused.check(isUnavailable(further), () => told(further));
      }
      // Who talks goes on talking.
      const extended = await bob.ok('POST', `/calls/${callId}/extend`);
      over.check(extended.call.pending?.kind === 'extend', () => 'an extension was not asked for');
      await hearing(atAnn, 'call:extend_requested');
      const { code, at: goneAt } = await gone;
      await stopping;
      over.tookMs.push(goneAt - startedAt - DRAIN_SEC * 1_000);
      over.check(code === 0, () => `it exited with ${code}`);
      for (const answer of await Promise.all(asked))
        first.check(answer.status === 201 || isUnavailable(answer), () => told(answer));
      const moved = await again(() => at(world.a, ann).ok('POST', `/calls/${callId}/join`));
      over.check(moved.call.phase === 'active', () => `the call is ${moved.call.phase}`);
      await at(world.a, ann).ok('POST', `/calls/${callId}/end`);
    }
  },
};
