/** Promises about a Redis or a PostgreSQL that is away, stands still, or has no connection left. */
import type { Answer, Json, Person } from '../test/support/client.ts';
import { request } from '../test/support/client.ts';
import { backendsOf, postmasterOf, takeConnections } from '../test/support/postgresTrouble.ts';
import type { PromiseRow } from './PromiseRow.ts';
import {
  again,
  at,
  hearing,
  isUnavailable,
  MAX_CONNECTIONS,
  type PromiseWorld,
  type Provoke,
  pause,
  readiness,
  told,
} from './PromiseWorld.ts';

const OUTAGES = 5;
const QUESTIONS = 5;
const RESTARTS = 20;

export const OUTAGE_PROMISES: Record<string, Provoke> = {
  'FT-08': async (world, row) => {
    const { redis } = world;
    const away = row({
      what: 'FT-08 Redis is gone: a call that another process holds is 503',
      withinMs: 1_000,
    });
    await withoutRedis(
      world,
      away,
      () => redis.stop(),
      () => redis.start(),
    );
    const still = row({ what: 'FT-08 Redis stands still: the same', withinMs: 1_000 });
    await withoutRedis(
      world,
      still,
      async () => redis.pause(),
      async () => redis.resume(),
    );
  },

  'FT-11': async (world, row) => {
    const during = row({
      what: 'FT-11 Redis restarts: told meanwhile, heard at the other after its return',
      withinMs: 2_000,
    });
    const after = row({ what: 'FT-11 … told on its return', withinMs: 2_000 });
    const { a, b, redis } = world;
    const [bob, ...others] = (await world.people(1 + 2 * RESTARTS)) as [Person, ...Person[]];
    for (const other of others) await other.ok('POST', `/matches/like/${bob.id}`);
    const inbox = await at(b, bob).inbox();
    const like = (other: Person) => again(() => at(a, bob).ok('POST', `/matches/like/${other.id}`));
    for (let i = 0; i < RESTARTS; i++) {
      const [first, second] = others.slice(2 * i) as [Person, Person];
      await redis.stop();
      await like(first);
      await pause(200);
      await redis.start();
      const backAt = performance.now();
      await Promise.all(
        [
          { row: during, of: first, made: Promise.resolve() },
          { row: after, of: second, made: like(second) },
        ].map(async ({ row, of, made }) => {
          await made;
          const { at: heardAt, payload } = await hearing(
            inbox,
            'match:created',
            ({ match }) => match.peer.id === of.id,
          );
          row.tookMs.push(Math.max(0, heardAt - backAt));
          row.check(
            payload.match.status === 'active',
            () => `told of a match that is ${payload.match.status}`,
          );
        }),
      );
    }
    const seqs = inbox.ofType('match:created').map(({ seq }) => seq);
    const inOrder =
      seqs.length === 2 * RESTARTS && seqs.every((seq, i) => i === 0 || seq === seqs[i - 1] + 1);
    after.check(inOrder, () => `not in order, or not once: ${seqs}`);
    await world.heal();
    await bob.leave();
  },

  'FT-13': async (world, row) => {
    const all = row({ what: 'FT-13 PostgreSQL stands still (SIGSTOP): 503', withinMs: 2_000 });
    const some = row({
      what: 'FT-13 its backends stand still: 503, or served by new ones',
      withinMs: 2_000,
    });
    for (const standing of [all, some]) {
      for (let i = 0; i < OUTAGES; i++) {
        const questions = await questionsOf(world);
        for (const ask of questions) await standing.time(ask, standing.usualMs);
        const pids = await backendsOf(world.admin);
        if (standing === all) pids.unshift(await postmasterOf(world.admin));
        for (const pid of pids) process.kill(pid, 'SIGSTOP');
        try {
          await Promise.all(
            questions.map(async (ask) => {
              const answer = await standing.time(ask);
              const isServed = standing === some && answer.status === 200;
              standing.check(isServed || isRefused(answer), () => told(answer));
            }),
          );
          await expectHealth(world, standing, standing === all ? 503 : undefined);
        } finally {
          for (const pid of pids) process.kill(pid, 'SIGCONT');
        }
        await world.heal();
        for (const ask of questions) {
          const { status } = await again(ask);
          standing.check(status === 200, () => `${status} after it was over`);
        }
      }
    }
  },

  'FT-15': async (world, row) => {
    const none = row({ what: 'FT-15 PostgreSQL has no connection left: 503', withinMs: 500 });
    for (let i = 0; i < OUTAGES; i++) {
      const questions = await questionsOf(world);
      for (const ask of questions) await none.time(ask, none.usualMs);
      const taken = await takeConnections(world.admin, world.dbUrl, MAX_CONNECTIONS);
      try {
        none.check(taken.length === MAX_CONNECTIONS - 1, () => `only ${taken.length} were taken`);
        await Promise.all(
          questions.map(async (ask) => {
            const answer = await none.time(ask);
            none.check(isRefused(answer), () => told(answer));
          }),
        );
        await expectHealth(world, none, undefined);
      } finally {
        await Promise.all(taken.map((client) => client.end()));
      }
      await world.heal();
    }
  },
};

async function withoutRedis(
  world: PromiseWorld,
  row: PromiseRow,
  begin: () => Promise<void>,
  end: () => Promise<void>,
): Promise<void> {
  const { a, b } = world;
  for (let i = 0; i < OUTAGES; i++) {
    const { ann, bob, callId } = await world.talkAt(a);
    const ask = () => at(b, bob).call('POST', `/calls/${callId}/join`);
    for (let k = 0; k < QUESTIONS; k++) {
      const { status } = await row.time(ask, row.usualMs);
      row.check(status === 200, () => `${status} before`);
    }
    await begin();
    try {
      for (let k = 0; k < QUESTIONS; k++) {
        const answer = await row.time(ask);
        row.check(isRefused(answer), () => told(answer));
      }
      // Who talks where the call is held notices nothing.
      const own = await ann.call('POST', `/calls/${callId}/join`);
      row.check(own.status === 200, () => `${told(own)} where the call is held`);
      await expectHealth(world, row, 503);
    } finally {
      await end();
    }
    await world.heal();
    const { call } = await again(() => at(b, bob).ok('POST', `/calls/${callId}/end`));
    row.check(call.outcome === 'completed', () => `the call ended as ${call.outcome}`);
    await Promise.all([ann.leave(), bob.leave()]);
  }
}

/** What needs the database, read and written, at both processes. */
async function questionsOf(world: PromiseWorld): Promise<(() => Promise<Answer<Json>>)[]> {
  const people = await world.people(2 * world.both.length);
  return world.both.flatMap((server, i) => {
    const [one, other] = people.slice(2 * i) as [Person, Person];
    return [
      () => at(server, one).call('POST', `/matches/like/${other.id}`),
      () => at(server, one).call('GET', '/users/me/sessions'),
      () => at(server, other).call('GET', '/users/blocked'),
    ];
  });
}

/** Refused as the contract says: 503, when to come again, and nothing else. */
function isRefused(answer: Answer<Json>): boolean {
  return isUnavailable(answer) && Number(answer.headers.get('retry-after')) > 0;
}

/** Both live; `ready` is what they are to say of themselves, where that is promised. */
async function expectHealth(
  { both }: PromiseWorld,
  row: PromiseRow,
  ready: number | undefined,
): Promise<void> {
  for (const server of both) {
    const { status } = await request(server.url, 'GET', '/health/liveness');
    row.check(status === 200, () => `liveness ${status}`);
    if (ready !== undefined) await again(() => readiness(server, ready));
  }
}
