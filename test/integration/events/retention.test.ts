/** Events and the journal of calls by month: made ahead of time, dropped whole, never passed over in silence. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Database } from '../../../src/db/Database.ts';
import { ensureMonths } from '../../../src/db/months.ts';
import { sql } from '../../../src/db/sql.ts';
import { append } from '../../../src/events/outbox.ts';
import { JOURNAL_KEEP_DAYS, KEEP_DAYS, keepMonths } from '../../../src/events/retention.ts';
import { newId } from '../../../src/ids.ts';
import { createLog } from '../../../src/log.ts';
import { useApp } from '../../support/app.ts';
import type { Json, Person } from '../../support/client.ts';
import { newPerson } from '../../support/signedIn.ts';

const app = useApp();
const DAY_MS = 86_400_000;
let db: Database;

beforeAll(async () => {
  db = await Database.open({ url: app.dbUrl, poolSize: 4, log: createLog('silent') });
});
afterAll(() => db.close());

/** Tells a person something as a use case would, but nobody hands it on: the hint is lost, the log has it. */
async function tell(person: Person, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await db.transaction((tx) =>
      append(tx, [{ userId: person.id, type: 'match:ready', payload: { matchId: `number ${i}` } }]),
    );
  }
}

/** Makes a person's events as old as `at`, up to `seq`: the rows move to that month. */
async function age(person: Person, seq: number, at: Date): Promise<void> {
  await db.pool.query('select ensure_month($1, $2::date)', ['outbox', at]);
  await db.pool.query('update outbox set at = $1 where user_id = $2 and seq <= $3', [at, person.id, seq]);
}

async function partitionsOf(table: string): Promise<string[]> {
  const { rows } = await db.pool.query(
    `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = $1::regclass order by 1`,
    [table],
  );
  return rows.map((row) => row.name);
}

const ageAll = sql('test-age-all', 'update outbox set at = $1 where user_id = $2');
const monthName = (table: string, at: Date) => `${table}_${at.toISOString().slice(0, 7).replace('-', '_')}`;
const seqs = (events: Json[]) => events.map((event) => event.seq);

describe('months', () => {
  test('this one and the next two are there from the start, and every row is in its own', async () => {
    const now = new Date();
    for (const table of ['outbox', 'call_journal']) {
      const months = [0, 1, 2].map((ahead) =>
        monthName(table, new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + ahead, 1))),
      );
      expect(await partitionsOf(table)).toEqual([...months, `${table}_default`].sort());
    }
    const ann = await newPerson(app);
    await tell(ann, 1);
    const { rows } = await db.pool.query(
      'select tableoid::regclass::text as place, at from outbox where user_id = $1',
      [ann.id],
    );
    expect(rows[0].place).toBe(monthName('outbox', new Date(rows[0].at)));
  });

  test('a month that nobody made in time loses nothing: its rows move when it is made', async () => {
    const ann = await newPerson(app);
    const at = new Date('2031-05-31T23:59:59.999Z');
    const after = new Date('2031-06-01T00:00:00.000Z');
    await tell(ann, 2);
    await db.pool.query('update outbox set at = $1 where user_id = $2 and seq = 1', [at, ann.id]);
    await db.pool.query('update outbox set at = $1 where user_id = $2 and seq = 2', [after, ann.id]);
    const places = async () => {
      const { rows } = await db.pool.query(
        'select tableoid::regclass::text as place from outbox where user_id = $1 order by seq',
        [ann.id],
      );
      return rows.map((row) => row.place);
    };
    expect(await places()).toEqual(['outbox_default', 'outbox_default']);
    // Twice at once, as two processes would.
    const make = () => db.pool.query(`select ensure_month('outbox', '2031-05-17')`);
    await Promise.all([make(), make(), make()]);
    expect(await places()).toEqual(['outbox_2031_05', 'outbox_default']);
    await make();
    const inbox = await ann.inbox();
    await inbox.next('match:ready', (event) => event.seq === 2);
    expect(seqs(inbox.ofType('match:ready'))).toEqual([1, 2]);
    await db.pool.query('delete from outbox where user_id = $1', [ann.id]);
  });

  test('a month that nobody made in time is made also while something is being told in it', async () => {
    const ann = await newPerson(app);
    const at = new Date('2032-05-17T00:00:00Z');
    let made: Promise<void> | undefined;
    await db.transaction(async (tx) => {
      await append(tx, [{ userId: ann.id, type: 'match:ready', payload: {} }]);
      await tx.query(ageAll, [at, ann.id]);
      made = ensureMonths(db, 'outbox', at.getTime());
      for (let waits = 0; waits === 0; ) {
        const { rows } = await db.pool.query(
          `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        );
        waits = rows[0].n;
      }
    });
    await made;
    const { rows } = await db.pool.query(
      'select tableoid::regclass::text as place from outbox where user_id = $1',
      [ann.id],
    );
    expect(rows).toEqual([{ place: 'outbox_2032_05' }]);
  });

  test('no number is given twice to one person in a month, whatever the clock says', async () => {
    const ann = await newPerson(app);
    await tell(ann, 1);
    const again = db.pool.query(
      `insert into outbox (user_id, seq, epoch, type, payload, at) values ($1, 1, 1, 'match:ready', '{}', now() + interval '1 second')`,
      [ann.id],
    );
    await expect(again).rejects.toMatchObject({ code: '23505' });
  });

  test('numbers go on across the border of two months, and are read in order', async () => {
    const ann = await newPerson(app);
    await tell(ann, 3);
    await age(ann, 3, new Date(Date.now() - 20 * DAY_MS));
    await age(ann, 1, new Date(Date.now() - 45 * DAY_MS));
    await tell(ann, 2);
    const inbox = await ann.inbox();
    await inbox.next('match:ready', (event) => event.seq === 5);
    expect(seqs(inbox.ofType('match:ready'))).toEqual([1, 2, 3, 4, 5]);
  });

  test('who is erased leaves no event and no journal behind', async () => {
    const ann = await newPerson(app);
    const bob = await newPerson(app);
    const [matchId, callId] = [newId(), newId()];
    const [low, high] = [ann.id, bob.id].sort();
    await tell(ann, 2);
    await db.pool.query(
      `insert into matches (id, low_id, high_id, status, phase, created_at, accept_by)
       values ($1, $2, $3, 'active', 'ready', now(), now())`,
      [matchId, low, high],
    );
    await db.pool.query(
      `insert into calls (id, match_id, caller_id, callee_id, phase, state, created_at) values ($1, $2, $3, $4, 'ended', '{}', now())`,
      [callId, matchId, low, high],
    );
    await db.pool.query(
      `insert into call_journal (call_id, version, at, epoch, command, phase, state) values ($1, 1, now(), 0, 'initiate', 'ringing', '{}')`,
      [callId],
    );
    await db.pool.query('delete from users where id = $1', [ann.id]);
    const { rows } = await db.pool.query(
      'select (select count(*)::int from outbox where user_id = $1) as events, (select count(*)::int from call_journal where call_id = $2) as lines',
      [ann.id, callId],
    );
    expect(rows[0]).toEqual({ events: 0, lines: 0 });
  });
});

describe('retention', () => {
  test('a month goes whole when its last day is older than what is kept, and not before', async () => {
    const ann = await newPerson(app);
    await tell(ann, 2);
    const old = new Date('2024-02-29T12:00:00Z');
    await age(ann, 1, old);
    await db.pool.query(`select ensure_month('call_journal', '2024-02-01')`);
    const kept = Date.parse('2024-03-01T00:00:00Z') + KEEP_DAYS * DAY_MS;
    await keepMonths(db, kept - 1);
    expect(await partitionsOf('outbox')).toContain('outbox_2024_02');
    await keepMonths(db, kept);
    expect(await partitionsOf('outbox')).not.toContain('outbox_2024_02');
    expect(await partitionsOf('call_journal')).toContain('call_journal_2024_02');
    await keepMonths(db, Date.parse('2024-03-01T00:00:00Z') + JOURNAL_KEEP_DAYS * DAY_MS);
    expect(await partitionsOf('call_journal')).not.toContain('call_journal_2024_02');
    const { rows } = await db.pool.query('select seq::int from outbox where user_id = $1', [ann.id]);
    expect(rows.map((row) => row.seq)).toEqual([2]);
  });

  test('what it took is told as a resync, never passed over in silence', async () => {
    const ann = await newPerson(app);
    await tell(ann, 10);
    await age(ann, 6, new Date('2023-01-10T00:00:00Z'));
    await keepMonths(db);
    const inbox = await ann.inbox();
    expect(await inbox.next('inbox:resync')).toEqual({ epoch: 1, seq: 10, at: expect.any(String) });
    expect(inbox.ofType('match:ready')).toEqual([]);
    await tell(ann, 1);
    await inbox.next('match:ready', (event) => event.seq === 11, 10_000);
    await inbox.room.leave();

    // Whoever reloads for it is not told so again, though their client acknowledges nothing.
    const again = await ann.inbox();
    await again.next('match:ready', (event) => event.seq === 11);
    expect(again.ofType('inbox:resync')).toEqual([]);
  });

  test('also where it took everything that was not acknowledged', async () => {
    const ann = await newPerson(app);
    await tell(ann, 4);
    const first = await ann.inbox();
    await first.next('match:ready', (event) => event.seq === 4);
    await first.room.request('inbox:ack', { seq: 2 });
    await first.room.leave();
    await age(ann, 4, new Date('2023-02-10T00:00:00Z'));
    await keepMonths(db);
    const inbox = await ann.inbox();
    expect(await inbox.next('inbox:resync')).toMatchObject({ epoch: 1, seq: 4 });
    expect(inbox.ofType('match:ready')).toEqual([]);
    await inbox.room.leave();

    // Who has seen everything is told nothing, however old it is.
    const seen = await newPerson(app);
    await tell(seen, 2);
    await db.pool.query('update inboxes set acked = 2 where user_id = $1', [seen.id]);
    await age(seen, 2, new Date('2023-03-10T00:00:00Z'));
    await keepMonths(db);
    const quiet = await seen.inbox();
    await tell(seen, 1);
    await quiet.next('match:ready', (event) => event.seq === 3, 10_000);
    expect(quiet.ofType('inbox:resync')).toEqual([]);
  });
});
