/** Promises about sockets: clients that say nothing, or have no seat, and how soon an event is at another process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { CutWay } from '../test/support/CutWay.ts';
import type { Inbox, Json, Person } from '../test/support/client.ts';
import { openSocket } from '../test/support/rawSocket.ts';
import type { TestServer } from '../test/support/server.ts';
import { inParallel } from './densityServer.ts';
import { seatPath } from './densitySocket.ts';
import { at, hearing, type PromiseWorld, type Provoke, pause } from './PromiseWorld.ts';

const SILENT = 8;
const UPGRADES = 10_000;
const UPGRADES_AT_ONCE = 100;
const MATCHES = 300;
const CUTS = 5;
const CUT_MS = 3_000;
const THIN_SOCKET = resolve(import.meta.dirname, 'densitySocket.ts');

export const SOCKET_PROMISES: Record<string, Provoke> = {
  'WS-20': async (world, row) => {
    const told = row({
      what: 'WS-20 a client stands still (SIGSTOP): the other is told',
      withinMs: 20_000,
    });
    const talks = [];
    for (let i = 0; i < SILENT; i++) talks.push(await world.talkAt(world.both[i % 2]!));
    const sockets: { port: number; path: string }[] = [];
    for (const { bob, callId } of talks) {
      const { seat } = await bob.ok('POST', `/calls/${callId}/join`);
      sockets.push({ port: Number(new URL(bob.url).port), path: seatPath(seat, bob.token) });
    }
    // A second apart, so that each is somewhere else between two pings.
    const phone = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `const { ThinSocket } = await import(${JSON.stringify(THIN_SOCKET)});
         for (const { port, path } of ${JSON.stringify(sockets)}) {
           await ThinSocket.open(port, path);
           await new Promise((done) => setTimeout(done, 1_000));
         }
         console.log('joined');`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const gone = once(phone, 'exit');
    try {
      const ended = gone.then(([code]) => {
        throw new Error(`the phone ended with ${code}`);
      });
      ended.catch(() => {});
      await Promise.race([once(phone.stdout, 'data'), ended]);
      const before = talks.map(({ atAnn }) => atAnn.ofType('call:peer_dropped').length);
      const stoppedAt = performance.now();
      phone.kill('SIGSTOP');
      await Promise.all(
        talks.map(async ({ bob, atAnn }, i) => {
          told.check(before[i] === 0, () => 'told before it was so');
          const { at: heardAt, payload } = await hearing(atAnn, 'call:peer_dropped');
          told.tookMs.push(heardAt - stoppedAt);
          told.check(payload.userId === bob.id, () => 'told of somebody else');
        }),
      );
    } finally {
      phone.kill('SIGKILL');
      await gone;
    }
    for (const { ann, bob, callId } of talks) {
      await ann.ok('POST', `/calls/${callId}/end`);
      await Promise.all([ann.leave(), bob.leave()]);
    }
  },

  'WS-25': async (world, row) => {
    const closed = row({
      what: `WS-25 ${UPGRADES.toLocaleString('en')} upgrades without a seat, ${UPGRADES_AT_ONCE} at once: closed`,
      withinMs: 2_000,
    });
    const port = Number(new URL(world.a.url).port);
    const [person] = (await world.people(1)) as [Person];
    await inParallel([...Array(UPGRADES).keys()], UPGRADES_AT_ONCE, async (i) => {
      const socket = await closed.time(async () => {
        const opened = await openSocket(port, `/process/room?sessionId=nobodys-seat-number-${i}`);
        if (opened.closeCode() === undefined) await once(opened.connection.socket, 'close');
        return opened;
      });
      closed.check(socket.status === 101, () => `answered ${socket.status}`);
      if (i % 100 === 0) await closed.time(() => person.ok('GET', '/users/me'), closed.usualMs);
    });
  },

  'WS-27': async (world, row) => {
    const heard = row({
      what: 'WS-27 match:created at the other process, from the like on',
      withinMs: 100,
      share: 0.99,
    });
    const { bob, others, inbox } = await liked(world, world.b, MATCHES);
    for (const other of others) {
      const startedAt = performance.now();
      const answer = heard.time(() => other.ok('POST', `/matches/like/${bob.id}`), heard.usualMs);
      const { at: heardAt, payload } = await hearing(inbox, 'match:created', byPeer(other));
      heard.tookMs.push(heardAt - startedAt);
      const { match } = await answer;
      heard.check(payload.match.id === match.id, () => 'another match');
    }
    const seqs = inbox.ofType('match:created').map(({ seq }) => seq);
    heard.check(isInOrder(seqs, MATCHES), () => `not in order, or not once: ${seqs}`);
    await bob.leave();
  },

  'WS-27-cut': async (world, row) => {
    const heard = row({
      what: `WS-27 told while the way to Redis is cut for ${CUT_MS / 1_000} s, from the like on`,
      withinMs: 5_000,
    });
    const way = await CutWay.to(world.redis.port);
    const cutOff = await world.startProcess({ REDIS_URL: `redis://127.0.0.1:${way.port}` });
    try {
      const { bob, others, inbox } = await liked(world, cutOff, 2 * CUTS);
      for (let i = 0; i < CUTS; i++) {
        const mend = way.cut();
        const likes = [0, CUT_MS / 2].map(async (afterMs, nth) => {
          const other = others[2 * i + nth]!;
          await pause(afterMs);
          const startedAt = performance.now();
          const { match } = await other.ok('POST', `/matches/like/${bob.id}`);
          const { at: heardAt, payload } = await hearing(inbox, 'match:created', byPeer(other));
          heard.tookMs.push(heardAt - startedAt);
          heard.check(payload.match.id === match.id, () => 'another match');
        });
        await pause(CUT_MS);
        mend();
        await Promise.all(likes);
      }
      const seqs = inbox.ofType('match:created').map(({ seq }) => seq);
      heard.check(isInOrder(seqs, 2 * CUTS), () => `not in order, or not once: ${seqs}`);
      await bob.leave();
    } finally {
      await cutOff.kill();
      way.close();
    }
  },
};

/** Somebody whose inbox is at `server` and who likes all the others, who are at A. */
async function liked(
  world: PromiseWorld,
  server: TestServer,
  count: number,
): Promise<{ bob: Person; others: Person[]; inbox: Inbox }> {
  const [bob, ...others] = (await world.people(1 + count)) as [Person, ...Person[]];
  await inParallel(others, 10, (other) => bob.ok('POST', `/matches/like/${other.id}`));
  return { bob, others, inbox: await at(server, bob).inbox() };
}

const byPeer = (other: Person) => (event: Json) => event.match.peer.id === other.id;

function isInOrder(seqs: readonly number[], count: number): boolean {
  return seqs.length === count && seqs.every((seq, i) => i === 0 || seq === seqs[i - 1]! + 1);
}
