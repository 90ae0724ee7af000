/**
 * What the chains of the security log cost whoever writes a line: transactions that write one and commit, as a login
 * does, on sixteen connections at once, with the chains and without, in turns.
 *
 *     npm run node -- loadtest/auditWrites.ts [rounds = 5]
 *
 * Prints lines a second and p50 and p95 in ms of both. Of one chain for everybody as well, which is why there are many.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { Database } from '../src/db/Database.ts';
import { newId } from '../src/ids.ts';
import { createLog } from '../src/log.ts';
import { startEmbeddedPostgres } from '../src/platform/EmbeddedPostgres.ts';

const ROUND_MS = 3_000;
const CONNECTIONS = 16;
const WAYS = {
  'no chain': 'alter table audit_log disable trigger audit_log_chain',
  'a chain a connection': 'alter table audit_log enable trigger audit_log_chain',
  'one chain': `alter table audit_log enable trigger audit_log_chain`,
};

const rounds = Number(process.argv[2] ?? 5);
const dataDir = await mkdtemp(join(tmpdir(), 'duet-audit-'));
const log = createLog('warn');
const postgres = await startEmbeddedPostgres({ dataDir, log });
try {
  const db = await Database.open({ url: postgres.url, poolSize: 2, log });
  await db.migrate();
  await db.close();
  const clients = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const client = new pg.Client(postgres.url);
      await client.connect();
      return client;
    }),
  );
  const owner = clients[0]!;
  const { rows } = await owner.query(`select pg_get_functiondef('chain_audit'::regproc) as definition`);
  const definition: string = rows[0].definition;
  const times: Record<string, number[]> = {};
  for (let round = 0; round < rounds; round++) {
    for (const [way, statement] of Object.entries(WAYS)) {
      await owner.query(statement);
      await owner.query(way === 'one chain' ? definition.replace('pg_backend_pid() % 128', '0') : definition);
      times[way] = (times[way] ?? []).concat(await measure(clients));
    }
  }
  for (const [way, all] of Object.entries(times)) {
    all.sort((a, b) => a - b);
    const [p50, p95] = [0.5, 0.95].map((q) => all[Math.floor(all.length * q)]!.toFixed(2));
    const perSec = Math.round(all.length / ((rounds * ROUND_MS) / 1000));
    console.log(`${way.padEnd(20)} ${perSec} lines/s, p50 ${p50} ms, p95 ${p95} ms`);
  }
  await Promise.all(clients.map((client) => client.end()));
} finally {
  await postgres.close();
  await rm(dataDir, { recursive: true, force: true });
}

/** Milliseconds of each transaction of a round. */
async function measure(clients: pg.Client[]): Promise<number[]> {
  const times: number[] = [];
  const end = performance.now() + ROUND_MS;
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() < end) {
        const startedAt = performance.now();
        await client.query('begin');
        await client.query({
          name: 'audit',
          text: `insert into audit_log (id, at, action, user_id, device, address, details)
                 values ($1, now(), 'login', $2, 'Firefox on Linux', '203.0.113.0/24', '{"newDevice": false}')`,
          values: [newId(), newId()],
        });
        // What a login still does after it.
        await client.query('select 1');
        await client.query('commit');
        times.push(performance.now() - startedAt);
      }
    }),
  );
  return times;
}
