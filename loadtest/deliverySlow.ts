/**
 * A thousand slow consumers: clients that do not read while ten megabytes are due to them (WS-21). Each is closed or
 * catches up; none may be passed over in silence.
 *
 *     npm run node -- loadtest/deliverySlow.ts --episodes 1000 --at-once 4
 */
import { parseArgs } from 'node:util';
import { Database } from '../src/db/Database.ts';
import { createLog } from '../src/log.ts';
import { type SlowOutcome, slowEpisode } from './deliverySlowEpisode.ts';
import { inParallel, MeasuredDuet } from './densityServer.ts';

const { values } = parseArgs({
  options: { episodes: { type: 'string', default: '1000' }, 'at-once': { type: 'string', default: '4' } },
});
const episodes = Number(values.episodes);
const atOnce = Number(values['at-once']);

await using duet = await MeasuredDuet.start();
const db = await Database.open({ url: duet.dbUrl, poolSize: atOnce + 1, log: createLog('silent') });
const people = await duet.people(atOnce);
const outcomes: SlowOutcome[] = [];
const startedAt = performance.now();
await inParallel(people, atOnce, async (person) => {
  let seq = 0;
  for (let i = 0; i < episodes / atOnce; i++) {
    const seat = async () => (await duet.post(person, '/realtime/inbox')).seat;
    const outcome = await slowEpisode({ port: duet.server.port, person, seat, db, startSeq: seq });
    seq = outcome.seq;
    outcomes.push(outcome);
    // The log is not what is measured: keep it small.
    await db.pool.query('delete from outbox where user_id = $1 and seq <= $2', [person.id, seq]);
    if (outcomes.length % 50 === 0) console.log(`${outcomes.length} episodes`);
  }
});
await db.close();
const closed = outcomes.filter(({ wasClosed }) => wasClosed).length;
const gaps = outcomes.flatMap((outcome) => outcome.gaps);
const missing = outcomes.filter((outcome) => outcome.missing > 0).length;
const sec = Math.round((performance.now() - startedAt) / 1000);
console.log(
  `${outcomes.length} episodes in ${sec} s: ${closed} closed, ${outcomes.length - closed} caught up on the same socket`,
);
console.log(`numbers passed over: ${gaps.length}; episodes in which something never came: ${missing}`);
process.exitCode = gaps.length === 0 && missing === 0 ? 0 : 1;
