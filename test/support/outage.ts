/** What the database knows of the time in which nobody held a call: deadlines are put off by no more than that. */
import type pg from 'pg';
import { expect } from 'vitest';
import { LEASE_MS } from '../../src/calling/CallStore.ts';

/** A call as its row has it while its process lives. */
export interface Held {
  /** When its deadlines fall due. Epoch ms. */
  state: { ringUntil: number; endsAt?: number };
  /** When its holder said the last time that it lives. Epoch ms, by the database's clock. */
  signMs: number;
}

export async function heldCall(db: pg.Client, callId: string): Promise<Held> {
  const { rows } = await db.query(
    `select state, extract(epoch from leased_until)::float8 * 1000 - ${LEASE_MS} as sign from calls where id = $1`,
    [callId],
  );
  return { state: rows[0].state, signMs: rows[0].sign };
}

/** What was credited since then is no longer than from the last sign of life of the dead to the takeover. */
export async function expectCredited(
  db: pg.Client,
  callId: string,
  { state, signMs }: Held,
  deadline: 'ringUntil' | 'endsAt',
): Promise<void> {
  const { rows } = await db.query(
    `select state, extract(epoch from at)::float8 * 1000 as at from call_journal
     where call_id = $1 and command = 'recover' order by version desc limit 1`,
    [callId],
  );
  const creditedMs = rows[0].state[deadline] - state[deadline]!;
  expect(creditedMs).toBeGreaterThanOrEqual(0);
  // Both ends of the outage are rounded to a millisecond.
  expect(creditedMs).toBeLessThanOrEqual(Math.ceil(rows[0].at - signMs) + 1);
}

/** The database's clock. Epoch ms. */
export async function databaseNow(db: pg.Client): Promise<number> {
  const { rows } = await db.query('select extract(epoch from clock_timestamp())::float8 * 1000 as now');
  return rows[0].now;
}
