import type { Database } from '../db/Database.ts';
import { type Sql, sql } from '../db/sql.ts';
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
const AUDIT_KEEP_DAYS = 730;
const GENESIS = '00'.repeat(32);
const BATCH = 5_000;
/** Lines of a chain, and chains, that are shortened at a time: a backlog of years goes in short transactions. */
const FORGET_AT_ONCE = 1_000;
const CHAINS_AT_ONCE = 8;
/** Processes take turns, and a clock may be behind the one before: of this time, the furthest start of a chain counts. */
const TOLD_WITHIN_MIN = 10;

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
const newestShortenings = sql<{ details: Record<string, string> }>(
  'audit-newest-shortenings',
  `select details from audit_log where action = 'log_shortened' and chain is not null and at > (
     select at from audit_log where action = 'log_shortened' and chain is not null order by at desc limit 1
   ) - interval '${TOLD_WITHIN_MIN} minutes'`,
);

/** The first lines of all chains. */
const FIRST_LINES = `audit_chains c cross join lateral (
  select l.seq, l.prev_hash, l.at from audit_log l where l.chain = c.chain order by l.seq limit 1) a`;
/** The oldest lines: those without a chain are from before there were any. Ends of chains may be among them, 128 at most. */
const oldest = (days: number) =>
  `(select id, chain from audit_log where at < now() - interval '${days} days' order by at limit ${FORGET_AT_ONCE})`;

/** The head of a chain stays, however old: the next line holds its hash. */
const isDue = sql<{ due: boolean }>(
  'audit-forget-due',
  `select exists (select from ${FIRST_LINES}
       where a.seq < c.seq and a.at < now() - interval '${AUDIT_KEEP_DAYS + 1} days')
     or exists (select from ${oldest(AUDIT_KEEP_DAYS + 1)} o where o.chain is null) as due`,
);
const takeTurn = sql<{ taken: boolean }>(
  'audit-forget-turn',
  `select pg_try_advisory_xact_lock(hashtext('duet audit')) as taken`,
);
const forgetUnchained = sql<{ lines: number }>(
  'audit-forget-unchained',
  `with forgotten as (
     delete from audit_log a using ${oldest(AUDIT_KEEP_DAYS)} o where a.id = o.id and o.chain is null returning 1)
   select count(*) as lines from forgotten`,
);
const forgetChained = sql<{ lines: number }>(
  'audit-forget',
  `with old as (
     select c.chain, a.seq as first, c.seq as head from ${FIRST_LINES}
     where a.seq < c.seq and a.at < now() - interval '${AUDIT_KEEP_DAYS} days' limit ${CHAINS_AT_ONCE}),
   bounds as (
     select o.chain, o.first, least(o.head, coalesce(
       (select a.seq from audit_log a
        where a.chain = o.chain and a.seq > o.first and a.seq < o.first + ${FORGET_AT_ONCE}
          and a.at >= now() - interval '${AUDIT_KEEP_DAYS} days'
        order by a.seq limit 1), o.first + ${FORGET_AT_ONCE})) as keep_from
     from old o),
   forgotten as (
     delete from audit_log a using bounds b where a.chain = b.chain and a.seq >= b.first and a.seq < b.keep_from
     returning 1)
   select count(*) as lines from forgotten`,
);
const readStarts = sql<{ chain: number; seq: number; hash: string }>(
  'audit-starts',
  `select c.chain, a.seq - 1 as seq, encode(a.prev_hash, 'hex') as hash from ${FIRST_LINES} where a.seq > 1`,
);

/**
 * Looks at the whole log. `before` is what an earlier look found at the ends: with it, a log that somebody with all the
 * rights in the database wrote anew, hashes and all, is found out too.
 */
export async function verifyAudit(db: Database, before: AuditHeads = {}): Promise<AuditVerdict> {
  const verdict: AuditVerdict = { lines: 0, unchained: 0, problems: [], heads: {} };
  const told = await readTold(db);
  for (const { chain, ...head } of await db.query(readHeads)) {
    verdict.heads[chain] = head;
    await verifyChain(db, verdict, chain, { told: told.get(`chain${chain}`), earlier: before[chain] });
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

/** Where chains begin since they were shortened, as the log says: `chain7` → number and hash of the line before. */
async function readTold(db: Database): Promise<Map<string, string>> {
  const told = new Map<string, string>();
  for (const { details } of await db.query(newestShortenings)) {
    for (const [name, start] of Object.entries(details)) {
      if (Number.parseInt(told.get(name) ?? '0', 10) < Number.parseInt(start, 10)) told.set(name, start);
    }
  }
  return told;
}

/**
 * Removes lines older than `AUDIT_KEEP_DAYS`, once a day, a little at a time until all are gone or `isOver` says that
 * there is no time left. With each little the log itself says where each chain begins since.
 */
export async function forgetOldAudit(
  db: Database,
  audit: Audit,
  isOver: () => boolean = () => false,
): Promise<void> {
  const [row] = await db.query(isDue);
  if (!row!.due) return;
  // How many lines have no chain stands in a line of one: it must not go before they do.
  for (const forget of [forgetUnchained, forgetChained]) {
    let lines = 1;
    while (lines > 0) {
      if (isOver()) return;
      const forgotten = await db.transaction((tx) => forgetSome(tx, audit, forget));
      // Another process is at it.
      if (forgotten === undefined) return;
      lines = forgotten;
    }
  }
}

/** How many lines went; undefined where it is another's turn. */
async function forgetSome(tx: Sql, audit: Audit, forget: typeof forgetChained): Promise<number | undefined> {
  const [turn] = await tx.query(takeTurn);
  if (!turn!.taken) return undefined;
  const [forgotten] = await tx.query(forget);
  const { lines } = forgotten!;
  if (lines === 0) return 0;
  const details: Record<string, string | number> = { lines };
  for (const { chain, seq, hash } of await tx.query(readStarts)) details[`chain${chain}`] = `${seq} ${hash}`;
  await audit.record(tx, { action: 'log_shortened', details });
  return lines;
}
