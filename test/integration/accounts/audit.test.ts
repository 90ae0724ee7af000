/** PV-17: the security log can only be added to, and what is done around that shows. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Audit } from '../../../src/accounts/Audit.ts';
import { forgetOldAudit, verifyAudit } from '../../../src/accounts/auditChain.ts';
import { SystemClock } from '../../../src/clock.ts';
import { Database } from '../../../src/db/Database.ts';
import { newId } from '../../../src/ids.ts';
import { createLog } from '../../../src/log.ts';
import { CLIENT, TEST_SECRETS } from '../../support/accounts.ts';
import { useDatabase } from '../../support/database.ts';
import { FakeClock } from '../../support/FakeClock.ts';
import { connect } from '../../support/life.ts';

const base = useDatabase();
const audit = new Audit({ clock: new SystemClock(), secrets: TEST_SECRETS });
const userId = newId();

/** One connection, that is one chain. */
let client: pg.Client;
beforeAll(async () => {
  client = await connect(base.url);
});
afterAll(() => client.end());

const query = async (text: string, values: unknown[] = []) => (await client.query(text, values)).rows;
/** As somebody with all the rights does it, who knows of the triggers. */
async function unguarded(text: string, values: unknown[] = []) {
  await client.query('alter table audit_log disable trigger user');
  await client.query(text, values);
  await client.query('alter table audit_log enable trigger user');
}
const problems = async (before = {}) => (await verifyAudit(base.db, before)).problems;
/** Resolves with the ids of the lines. */
async function write(count: number, ageDays = 0, on = client): Promise<string[]> {
  const at = new Date(Date.now() - ageDays * 86_400_000);
  const ids = Array.from({ length: count }, () => newId());
  await on.query(
    `insert into audit_log (id, at, action, user_id, details)
     select id, $2, 'login', $3, '{"newDevice": false}' from unnest($1::uuid[]) as t (id)`,
    [ids, at, userId],
  );
  return ids;
}

beforeEach(async () => {
  await unguarded('truncate audit_log');
  await query(`update audit_chains set seq = 0, hash = decode(repeat('00', 32), 'hex')`);
});

describe('the security log (PV-17)', () => {
  it('takes no change and no removal', async () => {
    const [id] = await write(3);
    for (const text of [
      `update audit_log set action = 'logout' where id = '${id}'`,
      `update audit_log set address = null`,
      `delete from audit_log where id = '${id}'`,
      'delete from audit_log',
      'truncate audit_log',
      `insert into audit_log (id, at, action) values ('${id}', now(), 'x') on conflict (id) do update set action = 'x'`,
    ])
      await expect(query(text), text).rejects.toMatchObject({ code: '42501' });
    expect(await verifyAudit(base.db)).toMatchObject({ lines: 3, unchained: 0, problems: [] });
  });

  it('is a chain whatever wrote the line, at the same time as others', async () => {
    await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        n % 2 === 0
          ? audit.record(base.db, { action: 'login', userId, client: CLIENT, details: { n } })
          : base.db.transaction(async (tx) => {
              await audit.record(tx, { action: 'registered', email: 'ann@example.org' });
              await audit.record(tx, { action: 'email_verified', userId });
            }),
      ),
    );
    await base.db
      .transaction(async (tx) => {
        await audit.record(tx, { action: 'login', userId });
        throw new Error('rolled back');
      })
      .catch(() => {});
    expect(await verifyAudit(base.db)).toMatchObject({ lines: 90, problems: [] });
    const [line] = await query('select count(distinct chain)::int as chains from audit_log');
    expect(line.chains).toBeGreaterThan(1);
  });

  it('shows what was changed', async () => {
    const [, second] = await write(3);
    const values = {
      at: `now() + interval '1 second'`,
      action: `'logout'`,
      user_id: `'${newId()}'`,
      actor_id: `'${newId()}'`,
      session_id: `'${newId()}'`,
      subject: `'x'`,
      device: `'x'`,
      address: `'198.51.100.0/24'`,
      details: `'{"newDevice": true}'`,
      hash: `sha256('x')`,
      prev_hash: `sha256('x')`,
    };
    for (const [column, value] of Object.entries(values)) {
      const [before] = await query(`select * from audit_log where id = $1`, [second]);
      await unguarded(`update audit_log set ${column} = ${value} where id = $1`, [second]);
      expect((await problems()).join(), column).toContain(second);
      await unguarded(`update audit_log set ${column} = $2 where id = $1`, [second, before[column]]);
      expect(await problems(), column).toEqual([]);
    }
  });

  it('shows what was removed or put in, at any end', async () => {
    const [first, second] = await write(3);
    const [{ chain }] = await query('select chain from audit_log limit 1');
    const copy = 'create table copy as select * from audit_log';
    await query(copy);
    const back = () =>
      unguarded('insert into audit_log select * from copy on conflict (id) do nothing').then(() =>
        problems(),
      );
    await unguarded('delete from audit_log where id = $1', [first]);
    expect(await problems()).toEqual([`chain ${chain}: lines before 2 are gone`]);
    expect(await back()).toEqual([]);
    await unguarded('delete from audit_log where id = $1', [second]);
    expect(await problems()).toEqual([`chain ${chain}: lines before 3 are gone`]);
    expect(await back()).toEqual([]);
    await unguarded('delete from audit_log where seq = 3');
    expect(await problems()).toEqual([`chain ${chain}: lines after 2 are gone`]);
    expect(await back()).toEqual([]);
    await unguarded('delete from audit_log');
    expect(await problems()).toEqual([`chain ${chain}: lines after 0 are gone`]);
    expect(await back()).toEqual([]);
    await query('drop table copy');
    await unguarded(`insert into audit_log (id, at, action) values (gen_random_uuid(), now(), 'login')`);
    expect(await problems()).toEqual(['lines without a hash were added']);
  });

  it('shows that it was written anew, hashes and all, to who kept what an earlier look found', async () => {
    await write(3);
    const { heads } = await verifyAudit(base.db);
    await write(2);
    expect(await problems(heads)).toEqual([]);
    await unguarded('truncate audit_log');
    await query(`update audit_chains set seq = 0, hash = decode(repeat('00', 32), 'hex')`);
    for (let n = 0; n < 6; n++) await write(1);
    expect(await problems()).toEqual([]);
    expect((await problems(heads)).length).toBeGreaterThan(0);
  });

  it('loses what is two years old, says so, and is whole', async () => {
    await write(4, 800);
    await write(2, 700);
    await forgetOldAudit(base.db, audit);
    const { lines, problems: found } = await verifyAudit(base.db);
    expect({ lines, found }).toEqual({ lines: 3, found: [] });
    const [told] = await query(`select details from audit_log where action = 'log_shortened'`);
    expect(told.details.lines).toBe(4);
    // Another time there is nothing to do.
    await forgetOldAudit(base.db, audit);
    expect((await verifyAudit(base.db)).lines).toBe(3);
    // What was not told is missed.
    await unguarded('delete from audit_log where seq = 5');
    expect((await problems()).join()).toContain('lines before 6 are gone');
  });

  it('loses a backlog in one go, by statements that are short', async () => {
    const clients = [client, await connect(base.url), await connect(base.url)];
    // All its lines of the shortening are of one moment.
    const stopped = new Audit({ clock: new FakeClock(Date.now()), secrets: TEST_SECRETS });
    const hurried = await Database.open({
      url: base.url,
      poolSize: 2,
      log: createLog('silent'),
      statementTimeoutMs: 2_000,
    });
    try {
      // From before there were chains, as many as the first one with a hash says.
      await query('alter table audit_log disable trigger audit_log_chain');
      await write(1_500, 900);
      await query('alter table audit_log enable trigger audit_log_chain');
      await query(
        `insert into audit_log (id, at, action, details)
         values (gen_random_uuid(), now() - interval '899 days', 'log_chained', '{"unchained": 1500}')`,
      );
      for (let i = 0; i < 5; i++) for (const one of clients) await write(700, 800, one);
      for (const one of clients) await write(2, 1, one);
      expect(await verifyAudit(base.db)).toMatchObject({ lines: 10_507, unchained: 1_500, problems: [] });
      const forgetting = forgetOldAudit(hurried, stopped);
      // Another process that begins meanwhile finds it under way, or goes on with it.
      await Promise.all([forgetting, forgetOldAudit(base.db, audit)]);
      const told = await query(
        `select (details->>'lines')::int as lines from audit_log where action = 'log_shortened'`,
      );
      expect(told.reduce((sum, { lines }) => sum + lines, 0)).toBe(12_001);
      const verdict = await verifyAudit(base.db);
      expect(verdict).toMatchObject({ lines: 6 + told.length, unchained: 0, problems: [] });
    } finally {
      await hurried.close();
      for (const one of clients.slice(1)) await one.end();
    }
  });

  it('is looked at by a command, which keeps what it found', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'duet-audit-')), 'heads.json');
    const run = () =>
      promisify(execFile)(process.execPath, ['src/verifyAudit.ts', path], {
        env: { ...process.env, DB_URL: base.url },
      });
    const [id] = await write(2);
    expect((await run()).stdout).toBe('2 lines: 0 problems\n');
    const kept = await readFile(path, 'utf8');
    await unguarded(`update audit_log set action = 'x' where id = $1`, [id]);
    await expect(run()).rejects.toMatchObject({
      code: 1,
      stdout: expect.stringContaining(`(${id}) was changed`),
    });
    expect(await readFile(path, 'utf8')).toBe(kept);
  });

  it('keeps the end of a chain, however old', async () => {
    await write(3, 900);
    await forgetOldAudit(base.db, audit);
    expect(await problems()).toEqual([]);
    // Which is no reason to shorten it again, or to say so.
    await forgetOldAudit(base.db, audit);
    expect(await query(`select from audit_log where action = 'log_shortened'`)).toHaveLength(1);
    await write(1);
    expect(await problems()).toEqual([]);
  });
});
