/** WS-20: a client that stops without a word (SIGSTOP) is found out; the other is told, and the call ends at its grace. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import pg from 'pg';
import { afterAll, expect, test } from 'vitest';
import { localRoom } from '../../../src/actors/colyseus.ts';
import { useApp } from '../../support/app.ts';
import { Inbox } from '../../support/client.ts';
import { newMatch } from '../../support/signedIn.ts';

const GRACE_SEC = 4;
const app = useApp({ CALL_RING_SEC: '600', CALL_RECONNECT_SEC: `${GRACE_SEC}`, CALL_DURATION_SEC: '600' });
const THIN_SOCKET = resolve(import.meta.dirname, '../../../loadtest/densitySocket.ts');
let phone: ChildProcess | undefined;

afterAll(() => phone?.kill('SIGKILL'));

test('the peer hears of it, and the call fails when the grace is over', async () => {
  const { ann, bob, matchId } = await newMatch(app);
  const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  const heard = new Inbox(await ann.sit(seat));
  const answered = await bob.ok('POST', `/calls/${call.id}/answer`, {});
  phone = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `const { seatPath, ThinSocket } = await import(${JSON.stringify(THIN_SOCKET)});
       await ThinSocket.open(${new URL(app.url).port}, seatPath(${JSON.stringify(answered.seat)}, '${bob.token}'));
       console.log('joined');`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(phone.stdout!, 'data');
  // Audio, which nobody here has: what the SFU says when it reaches both ends.
  const room = localRoom(call.id) as unknown as {
    command(given: object): Promise<{ call: { phase: string } }>;
  };
  expect((await room.command({ command: { type: 'media_flowing' } })).call.phase).toBe('active');

  phone.kill('SIGSTOP');
  expect(await heard.next('call:peer_dropped', undefined, 50_000)).toMatchObject({ userId: bob.id });
  const ended = await heard.next('call:ended');
  expect(ended).toMatchObject({ outcome: 'failed' });
  const db = new pg.Client(app.dbUrl);
  await db.connect();
  const { rows } = await db.query('select state from call_journal where call_id = $1 order by version', [
    call.id,
  ]);
  await db.end();
  const [dropped, failed] = rows.slice(-2).map(({ state }) => state);
  expect(failed.endedAt - dropped.absentSince.callee).toBeGreaterThanOrEqual(GRACE_SEC * 1_000);
}, 90_000);
