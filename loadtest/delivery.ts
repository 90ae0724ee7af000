/**
 * How long an inbox event takes from its commit to its client, and a change of a call's state (somebody left) to the
 * other's screen, at a given rate; beside uWebSockets.js that forwards as many bytes.
 *
 *     node loadtest/delivery.ts --rate 200 --seconds 10
 *
 * Sender and clients share this process and its clock; what it costs them is in the figures, theirs and the bare
 * server's alike. The ratio carries over to other machines, the figures do not.
 */
import { parseArgs } from 'node:util';
import { seqOf } from './deliveryFrames.ts';
import { inParallel, MeasuredDuet, MeasuredServer, pause } from './densityServer.ts';
import { seatPath, ThinSocket } from './densitySocket.ts';

const { values } = parseArgs({
  options: { rate: { type: 'string', default: '200' }, seconds: { type: 'string', default: '10' } },
});
const everyMs = 1_000 / Number(values.rate);
const seconds = Number(values.seconds);

const bareMs = await measureBare();
// A call in which nothing flows stays `connecting` for as long as people may be gone.
await using duet = await MeasuredDuet.start({ CALL_RECONNECT_SEC: '3600' });
const inboxMs = await measureInbox();
const stateMs = await measureState();
console.log(`at ${values.rate} a second for ${seconds} s`);
print('bytes through bare uWebSockets.js and back', bareMs);
print('inbox: answer of the like committed → match:created', inboxMs);
print('state: socket closed → patch on the other screen', stateMs);

/** Calls `act` at the rate, open loop, and resolves when all are done. */
async function atRate(act: (i: number) => Promise<void> | void): Promise<void> {
  const startedAt = performance.now();
  const running: (Promise<void> | void)[] = [];
  for (let i = 0; i < seconds * Number(values.rate); i++) {
    const waitMs = startedAt + i * everyMs - performance.now();
    if (waitMs > 0) await pause(waitMs);
    running.push(act(i));
  }
  await Promise.all(running);
}

async function measureBare(): Promise<number[]> {
  const server = await MeasuredServer.start('loadtest/densityBare.ts');
  const sentAt: number[] = [];
  const tookMs: number[] = [];
  const socket = await ThinSocket.open(server.port, '/', {
    waitForJoin: false,
    onFrame: () => tookMs.push(performance.now() - sentAt.shift()!),
  });
  await atRate(() => {
    sentAt.push(performance.now());
    socket.send(Buffer.alloc(120));
  });
  await pause(500);
  socket.destroy();
  await server.close();
  return tookMs;
}

/** Pairs like each other; the second like commits the match and both hear of it. */
async function measureInbox(): Promise<number[]> {
  const count = seconds * Number(values.rate);
  const people = await duet.people(count + 1);
  const [hub, ...likers] = people as [(typeof people)[0], ...typeof people];
  const tookMs: number[] = [];
  const committedAt: number[] = [];
  const heardAt: number[] = [];
  const socket = await ThinSocket.open(
    duet.server.port,
    seatPath((await duet.post(hub, '/realtime/inbox')).seat, hub.token),
    {
      onFrame: (frame) => {
        const seq = seqOf(frame);
        if (seq !== undefined) heardAt[seq] = performance.now();
      },
    },
  );
  await inParallel(likers, 8, (liker) => duet.post(hub, `/matches/like/${liker.id}`));
  await atRate(async (i) => {
    await duet.post(likers[i]!, `/matches/like/${hub.id}`);
    committedAt.push(performance.now());
  });
  await pause(1_000);
  socket.destroy();
  // The commit is somewhere before the answer, and events are numbered in order of commit: what is compared is the
  // n-th answer with the n-th event. A negative time is an event that overtook the answer.
  for (const [i, at] of committedAt.entries()) {
    const heard = heardAt[i + 1];
    if (heard !== undefined) tookMs.push(Math.max(0, heard - at));
  }
  return tookMs;
}

/** One of two in a call joins and leaves: `connected` on the other's screen changes with each. */
async function measureState(): Promise<number[]> {
  const [ann, bob] = (await duet.people(2)) as [{ id: string; token: string }, { id: string; token: string }];
  await duet.post(ann, `/matches/like/${bob.id}`);
  const { match } = await duet.post(bob, `/matches/like/${ann.id}`);
  const { call, seat } = await duet.post(ann, `/calls/initiate/${match.id}`, {});
  // While it rings nobody learns whether the other is there.
  await duet.post(bob, `/calls/${call.id}/answer`, {});
  let wake = () => {};
  const watcher = await ThinSocket.open(duet.server.port, seatPath(seat, ann.token), {
    onFrame: () => wake(),
  });
  const tookMs: number[] = [];
  for (let i = 0; i < Math.min(200, seconds * 20); i++) {
    const { seat: next } = await duet.post(bob, `/calls/${call.id}/join`);
    const joined = await ThinSocket.open(duet.server.port, seatPath(next, bob.token));
    await pause(20);
    const changed = new Promise<void>((done) => {
      wake = done;
    });
    const leftAt = performance.now();
    joined.destroy();
    await Promise.race([
      changed,
      pause(10_000).then(() => Promise.reject(new Error('a change was never shown'))),
    ]);
    tookMs.push(performance.now() - leftAt);
    wake = () => {};
    await pause(20);
  }
  watcher.destroy();
  return tookMs;
}

function print(what: string, tookMs: number[]): void {
  const sorted = [...tookMs].sort((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  const ratio = (share: number) => {
    const bare = [...bareMs].sort((a, b) => a - b);
    return at(share) / bare[Math.floor(share * bare.length)]!;
  };
  console.log(
    `${what}: ${sorted.length} times, p50 ${at(0.5).toFixed(2)} ms, p99 ${at(0.99).toFixed(2)} ms (${ratio(0.5).toFixed(1)}x and ${ratio(0.99).toFixed(1)}x of bare)`,
  );
}
