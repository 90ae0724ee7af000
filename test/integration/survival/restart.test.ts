/** FT-03: what fell due while nothing ran happens when the program is back, once. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Json } from '../../support/client.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { databaseNow, expectCredited, heldCall } from '../../support/outage.ts';
import type { TestServer } from '../../support/server.ts';
import { newMatch } from '../../support/signedIn.ts';
import { at, pause, startShared } from './processes.ts';

const ACCEPT_SEC = 60;
/** The program starts twice in here. */
const START_MS = 180_000;
const shared = { MATCH_ACCEPT_SEC: `${ACCEPT_SEC}`, MATCH_WARNING_SEC: '1', CALL_RING_SEC: '6' };
let database: TestDatabase;
let db: pg.Client;
let server: TestServer | undefined;

beforeAll(async () => {
  database = await createTestDatabase();
  db = new pg.Client(database.url);
  await db.connect();
});
afterAll(async () => {
  await server?.kill();
  await db?.end();
  await database?.drop();
});

test(
  'kill -9 in the decision window, start after its end: the match expires, and is told once',
  async () => {
    server = await startShared({ ...shared, DB_URL: database.url });
    const { ann, matchId } = await newMatch(server);
    await server.kill();
    await db.query(`update matches set due_at = now() - interval '2 s', accept_by = now() - interval '2 s'`);
    await pause(500);
    server = await startShared({ ...shared, DB_URL: database.url });
    const inbox = await at(server, ann).inbox();
    expect(await inbox.next('match:ended', (event: Json) => event.matchId === matchId)).toMatchObject({
      status: 'expired',
    });
    const { rows } = await db.query('select status from matches where id = $1', [matchId]);
    expect(rows[0].status).toBe('expired');
    await pause(1_500);
    const told = await db.query(
      `select user_id from outbox where type = 'match:ended' and payload->>'matchId' = $1`,
      [matchId],
    );
    expect(new Set(told.rows.map(({ user_id }) => user_id)).size).toBe(2);
    expect(told.rows).toHaveLength(2);
  },
  START_MS,
);

test(
  'kill -9 while it rings, start later: it rings on for what was left',
  async () => {
    const { ann, bob, matchId } = await newMatch(server!);
    const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    const held = await heldCall(db, call.id);
    await server!.kill();
    const goneAt = await databaseNow(db);
    await pause(8_000);
    const outMs = (await databaseNow(db)) - goneAt;
    server = await startShared({ ...shared, DB_URL: database.url });
    const inbox = await at(server, bob).inbox();
    const ended = await inbox.next('call:ended', (event: Json) => event.call.id === call.id, 20_000);
    expect(ended.call.outcome).toBe('missed');
    const { rows } = await db.query(
      `select command, state from call_journal where call_id = $1 order by version`,
      [call.id],
    );
    expect(rows.map(({ command }: Json) => command)).toEqual(['initiate', 'recover', 'tick']);
    // Six seconds of ringing in all; some of them before the kill, none of them while nothing ran.
    const [initiated, recovered, over] = rows.map(({ state }: Json) => state);
    expect(recovered.ringUntil - initiated.ringUntil).toBeGreaterThanOrEqual(Math.floor(outMs));
    await expectCredited(db, call.id, held, 'ringUntil');
    expect(over.endedAt).toBeGreaterThanOrEqual(recovered.ringUntil);
  },
  START_MS,
);
