import type { Database } from '../db/Database.ts';
import { sql } from '../db/sql.ts';
import type { Audit } from './Audit.ts';

/**
 * The security log as chains of lines, each of which holds the hash of the one before it: who changes or removes one in
 * the database breaks what follows. The database writes them (migration 0017), a chain for each of its connections.
 */

/** The last line of each chain, by its number: what a later look must find again. */
export type AuditHeads = Record<string, { seq: number; hash: string }>;

export interface AuditVerdict {
  /** Lines that were looked at. */
  lines: number;
  /** Lines from before there were chains. */
  unchained: number;
  /** What is wrong, in words; empty when nothing is. */
  problems: string[];
  heads: AuditHeads;
}

interface Line {
  id: string;
  seq: number;
  hash: string;
  prev_hash: string;
  is_true: boolean;
}

/** How long a line is kept; the database refuses to remove younger ones. */
export const AUDIT_KEEP_DAYS = 730;
const GENESIS = '00'.repeat(32);
const BATCH = 5_000;
/** Lines of a chain that go at a time. */
const FORGET_AT_ONCE = 1_000;

const readHeads = sql<{ chain: number; seq: number; hash: string }>(
  'audit-heads',
  `select chain, seq, encode(hash, 'hex') as hash from audit_chains order by chain`,
);
const readLines = sql<Line>(
  'audit-lines',
  `select a.id, a.seq, encode(a.hash, 'hex') as hash, encode(a.prev_hash, 'hex') as prev_hash, a.hash = audit_hash(a) as is_true
   from audit_log a where a.chain = $1 and a.seq > $2 and a.seq <= $3 order by a.seq limit ${BATCH}`,
);
const countUnchained = sql<{ found: number; told: number }>(
  'audit-unchained',
  `select count(*) as found, coalesce((select max((details->>'unchained')::bigint) from audit_log
     where action = 'log_chained' and chain is not null), 0) as told
   from audit_log where chain is null`,
);
const newestShortening = sql<{ details: Record<string, string> }>(
  'audit-newest-shortening',
  `select details from audit_log where action = 'log_shortened' and chain is not null order by at desc limit 1`,
);

const isDue = sql<{ due: boolean }>(
  'audit-forget-due',
  `select exists (select from audit_log where at < now() - interval '${AUDIT_KEEP_DAYS + 1} days')
     and pg_try_advisory_xact_lock(hashtext('duet audit')) as due`,
);
/** The head of a chain stays, however old: the next line holds its hash. */
const forgetOldest = sql<{ chain: number; seq: number; hash: string; lines: number }>(
  'audit-forget',
  `with bounds as (
     select c.chain, least(
       coalesce((select a.seq from audit_log a where a.chain = c.chain and a.at >= now() - interval '${AUDIT_KEEP_DAYS} days'
                 order by a.seq limit 1), c.seq),
       (select a.seq from audit_log a where a.chain = c.chain order by a.seq limit 1) + ${FORGET_AT_ONCE}) as keep_from
     from audit_chains c),
   forgotten as (
     delete from audit_log a using bounds b where a.chain = b.chain and a.seq < b.keep_from returning a.chain),
   unchained as (
     delete from audit_log where chain is null and at < now() - interval '${AUDIT_KEEP_DAYS} days' returning 1)
   select b.chain, a.seq - 1 as seq, encode(a.prev_hash, 'hex') as hash,
     (select count(*) from forgotten) + (select count(*) from unchained) as lines
   from bounds b join audit_log a on a.chain = b.chain and a.seq = b.keep_from where a.seq > 1`,
);

/**
 * Looks at the whole log. `before` is what an earlier look found at the ends: with it, a log that somebody with all the
 * rights in the database wrote anew, hashes and all, is found out too.
 */
export async function verifyAudit(db: Database, before: AuditHeads = {}): Promise<AuditVerdict> {
  const verdict: AuditVerdict = { lines: 0, unchained: 0, problems: [], heads: {} };
  const [shortened] = await db.query(newestShortening);
  for (const { chain, ...head } of await db.query(readHeads)) {
    verdict.heads[chain] = head;
    const told = shortened?.details[`chain${chain}`];
    await verifyChain(db, verdict, chain, { told, earlier: before[chain] });
  }
  for (const chain of Object.keys(before)) {
    if (verdict.heads[chain] === undefined) verdict.problems.push(`chain ${chain}: is gone`);
  }
  const [unchained] = await db.query(countUnchained);
  verdict.unchained = unchained!.found;
  if (unchained!.found > unchained!.told) verdict.problems.push('lines without a hash were added');
  return verdict;
}

async function verifyChain(
  db: Database,
  verdict: AuditVerdict,
  chain: number,
  known: { told: string | undefined; earlier: { seq: number; hash: string } | undefined },
): Promise<void> {
  const head = verdict.heads[chain]!;
  const { earlier } = known;
  const say = (problem: string) => verdict.problems.push(`chain ${chain}: ${problem}`);
  let last: { seq: number; hash: string } | undefined;
  for (;;) {
    const lines = await db.query(readLines, [chain, last?.seq ?? 0, head.seq]);
    for (const line of lines) {
      if (!line.is_true) say(`line ${line.seq} (${line.id}) was changed`);
      if (last === undefined ? !isStart(line, known.told) : line.seq !== last.seq + 1)
        say(`lines before ${line.seq} are gone`);
      else if (last !== undefined && line.prev_hash !== last.hash)
        say(`line ${line.seq} (${line.id}) does not follow the one before it`);
      if (line.seq === earlier?.seq && line.hash !== earlier.hash)
        say(`line ${line.seq} (${line.id}) is another than at the earlier look`);
      last = line;
    }
    verdict.lines += lines.length;
    if (lines.length < BATCH) break;
  }
  if ((last?.seq ?? 0) !== head.seq) say(`lines after ${last?.seq ?? 0} are gone`);
  else if (last !== undefined && last.hash !== head.hash) say(`the end is another than was written`);
  if (earlier !== undefined && head.seq < earlier.seq) say('is shorter than at the earlier look');
}

/** Whether a chain may begin with this line: it is the first ever, or what went before it was told. */
function isStart(line: Line, told: string | undefined): boolean {
  return line.seq === 1 ? line.prev_hash === GENESIS : told === `${line.seq - 1} ${line.prev_hash}`;
}

/** Removes lines older than `AUDIT_KEEP_DAYS`, once a day, and says in the log itself where each chain begins since. */
export async function forgetOldAudit(db: Database, audit: Audit): Promise<void> {
  await db.transaction(async (tx) => {
    const [row] = await tx.query(isDue);
    if (!row!.due) return;
    const starts = await tx.query(forgetOldest);
    const details: Record<string, string | number> = { lines: starts[0]?.lines ?? 0 };
    for (const { chain, seq, hash } of starts) details[`chain${chain}`] = `${seq} ${hash}`;
    await audit.record(tx, { action: 'log_shortened', details });
  });
}
