/**
 * After the drill: what people were told beside what the database and the API say. Each check returns the violations
 * that it found, as sentences; none of them trusts a constraint of the database alone.
 */
import pg from 'pg';
import type { CallView } from '../src/calling/shapes.ts';
import type { Call } from '../src/calling/state.ts';
import { callView } from '../src/calling/view.ts';
import { DURATIONS } from './crashDrillCluster.ts';
import type { Acknowledged, DrillPerson } from './crashDrillPerson.ts';

/** One line of a call's journal. */
interface Line {
  version: number;
  epoch: number;
  atMs: number;
  command: string;
  byId: string | null;
  state: Call;
}

export interface Findings {
  violations: string[];
  calls: number;
  matches: number;
  journalLines: number;
  events: number;
  takeovers: number;
  /** How late the deadlines that fell were acted on, and how long calls were held by nobody. Milliseconds, sorted. */
  lateMs: number[];
  creditMs: number[];
  outcomes: Record<string, number>;
}

/** How late a deadline may be acted on. */
const LATE_MS = 5_000;
/** What is credited counts from the last commit or renewal; a line of the journal is written a moment after the row. */
const CREDIT_MARGIN_MS = 1_000;

const CLOCK_OUTCOMES = new Set(['missed', 'timed_out']);

export async function verify(dbUrl: string, people: readonly DrillPerson[], told: readonly Acknowledged[]) {
  const client = new pg.Client(dbUrl);
  await client.connect();
  try {
    const journals = await readJournals(client);
    const events = await readEvents(client);
    const found: Findings = {
      violations: [],
      calls: journals.size,
      matches: 0,
      journalLines: 0,
      events: events.length,
      takeovers: 0,
      lateMs: [],
      creditMs: [],
      outcomes: {},
    };
    for (const [callId, lines] of journals) checkJournal(callId, lines, found);
    found.lateMs.sort((a, b) => a - b);
    found.creditMs.sort((a, b) => a - b);
    checkOverlaps(journals, found);
    await checkRows(client, journals, found);
    await checkDecisions(client, told, found);
    checkAcknowledged(journals, told, found);
    await checkEvents(client, journals, events, found);
    await checkInboxes(client, people, found);
    return found;
  } finally {
    await client.end();
  }
}

async function readJournals(client: pg.Client): Promise<Map<string, Line[]>> {
  const { rows } = await client.query(
    `select call_id, version, epoch::int, (extract(epoch from at) * 1000)::float8 as at_ms, command, by_id, state
     from call_journal order by call_id, version`,
  );
  const journals = new Map<string, Line[]>();
  for (const { call_id, version, epoch, at_ms, command, by_id, state } of rows) {
    const lines = journals.get(call_id) ?? [];
    journals.set(call_id, lines);
    lines.push({ version, epoch, atMs: at_ms, command, byId: by_id, state });
  }
  return journals;
}

/** One call's story: no version left out or twice, epochs that only rise, one end, deadlines on time, time added as agreed. */
function checkJournal(callId: string, lines: Line[], found: Findings): void {
  const wrong = (what: string) => found.violations.push(`call ${callId}: ${what}`);
  found.journalLines += lines.length;
  for (const [i, line] of lines.entries()) {
    if (line.version !== i + 1) wrong(`version ${line.version} where ${i + 1} was due`);
    const before = lines[i - 1];
    if (before === undefined) continue;
    if (line.epoch < before.epoch) wrong(`epoch ${line.epoch} after ${before.epoch}`);
    if (before.state.phase === 'ended') wrong(`${line.command} after its end`);
    if (line.command === 'recover') {
      found.takeovers += 1;
      found.creditMs.push(deadlineOf(line.state)! - deadlineOf(before.state)!);
    }
    checkStep(before, line, wrong);
  }
  for (const command of ['answer', 'reject', 'end']) {
    const times = lines.filter((line) => line.command === command).length;
    if (times > 1) wrong(`${command} ${times} times`);
  }
  const last = lines.at(-1)!;
  if (last.state.phase !== 'ended') return;
  const { outcome } = last.state;
  found.outcomes[outcome] = (found.outcomes[outcome] ?? 0) + 1;
  if (!CLOCK_OUTCOMES.has(outcome)) return;
  const lateMs = last.atMs - (deadlineOf(lines.at(-2)!.state) ?? last.atMs);
  found.lateMs.push(lateMs);
  if (lateMs > LATE_MS) wrong(`${outcome} ${Math.round(lateMs)} ms late`);
}

/** The clock of a call moves by an extension that both asked for, by an outage, and by nothing else. */
function checkStep(before: Line, line: Line, wrong: (what: string) => void): void {
  const [was, is] = [before.state, line.state];
  if (was.phase !== 'active' || is.phase === 'ringing' || is.phase === 'connecting') return;
  const addedMs = (is.endsAt ?? 0) - was.endsAt;
  const extended = is.extensions - was.extensions;
  if (line.command === 'recover') {
    const outageMs = line.atMs - before.atMs;
    if (addedMs < 0 || addedMs > outageMs + CREDIT_MARGIN_MS)
      wrong(`credited ${addedMs} ms for at most ${outageMs} ms`);
    return;
  }
  if (addedMs !== extended * DURATIONS.extensionMs) wrong(`${line.command} moved the clock by ${addedMs} ms`);
  const byConsent = line.command === 'extend' && was.pending?.kind === 'extend';
  if (extended !== 0 && !(extended === 1 && byConsent)) wrong(`${extended} extensions by ${line.command}`);
}

/** Nobody was ever in two calls, and no pair had two at once. */
function checkOverlaps(journals: Map<string, Line[]>, found: Findings): void {
  const byPerson = new Map<string, { fromMs: number; toMs: number; callId: string }[]>();
  for (const [callId, lines] of journals) {
    const first = lines[0]!;
    const last = lines.at(-1)!;
    const toMs = last.state.phase === 'ended' ? last.atMs : Number.POSITIVE_INFINITY;
    for (const person of [first.state.callerId, first.state.calleeId]) {
      const spans = byPerson.get(person) ?? [];
      byPerson.set(person, spans);
      spans.push({ fromMs: first.atMs, toMs, callId });
    }
  }
  for (const spans of byPerson.values()) {
    spans.sort((a, b) => a.fromMs - b.fromMs);
    for (let i = 1; i < spans.length; i++) {
      if (spans[i]!.fromMs >= spans[i - 1]!.toMs) continue;
      found.violations.push(`somebody was in calls ${spans[i - 1]!.callId} and ${spans[i]!.callId} at once`);
    }
  }
}

/** The rows say what the journals say, and nothing is left over. */
async function checkRows(client: pg.Client, journals: Map<string, Line[]>, found: Findings): Promise<void> {
  const { rows } = await client.query('select id, phase, version, state from calls');
  if (rows.length !== journals.size) found.violations.push(`${rows.length} calls, ${journals.size} journals`);
  for (const { id, phase, version, state } of rows) {
    const last = journals.get(id)?.at(-1);
    // The journal may say more than the row: facts about the call that nothing is decided by.
    const told = Object.fromEntries(Object.entries(last?.state ?? {}).filter(([key]) => key in state));
    if (last?.version !== version || JSON.stringify(sorted(told)) !== JSON.stringify(sorted(state)))
      found.violations.push(`call ${id}: the row is not what the journal ends with`);
    if (phase !== 'ended') found.violations.push(`call ${id}: still ${phase} long after the drill`);
  }
  const seated = await client.query('select count(*)::int as n from live_calls');
  if (seated.rows[0].n > 0) found.violations.push(`${seated.rows[0].n} people still seated in calls`);
}

/** Every acknowledged like is there; two likes are one match, neither none nor two; an ended match stays ended. */
async function checkDecisions(
  client: pg.Client,
  told: readonly Acknowledged[],
  found: Findings,
): Promise<void> {
  const wrong = (what: string) => found.violations.push(what);
  const pairs = await client.query('select low_id, high_id, low_decision, high_decision from pair_decisions');
  const liked = new Set<string>();
  const mutual = new Set<string>();
  for (const { low_id, high_id, low_decision, high_decision } of pairs.rows) {
    if (low_decision === 'like') liked.add(`${low_id} ${high_id}`);
    if (high_decision === 'like') liked.add(`${high_id} ${low_id}`);
    if (low_decision === 'like' && high_decision === 'like') mutual.add(`${low_id} ${high_id}`);
  }
  const matches = await client.query('select id, low_id, high_id, status from matches');
  found.matches = matches.rows.length;
  const matched = matches.rows.map(({ low_id, high_id }) => `${low_id} ${high_id}`);
  if (new Set(matched).size !== matched.length) wrong('a pair has two matches');
  for (const pair of mutual) if (!matched.includes(pair)) wrong(`mutual likes ${pair} without a match`);
  for (const pair of matched) if (!mutual.has(pair)) wrong(`a match ${pair} without mutual likes`);
  const ended = new Set(matches.rows.filter(({ status }) => status === 'ended').map(({ id }) => id));
  for (const { action, by, target } of told) {
    if (action === 'like' && !liked.has(`${by} ${target}`))
      wrong(`an acknowledged like is lost: ${by} ${target}`);
    if (action === 'unmatch' && !ended.has(target)) wrong(`an acknowledged end of match ${target} is lost`);
  }
}

/** What an answer showed was committed: it stands in the journal of that call, done by who was answered. */
function checkAcknowledged(
  journals: Map<string, Line[]>,
  told: readonly Acknowledged[],
  found: Findings,
): void {
  for (const { action, by, target, call } of told) {
    if (call === undefined) continue;
    const lines = journals.get(target) ?? [];
    if (!lines.some(({ state }) => shows(call, state)))
      found.violations.push(`call ${target}: what ${action} was answered with was never committed`);
    // Ending what has ended, and initiating what rings, is answered with the call as it is.
    const mustBeBySelf = action === 'answer' || action === 'reject' || action === 'extend';
    if (mustBeBySelf && !lines.some(({ command, byId }) => command === action && byId === by))
      found.violations.push(`call ${target}: an acknowledged ${action} is lost`);
    if (action === 'end' && lines.at(-1)?.state.phase !== 'ended')
      found.violations.push(`call ${target}: an acknowledged end is lost`);
  }
}

function shows(call: CallView, state: Call): boolean {
  const { durationSec: _, ...view } = callView(state, 0);
  const { durationSec: __, ...shown } = call;
  return JSON.stringify(sorted(view)) === JSON.stringify(sorted(shown));
}

interface StoredRow {
  user_id: string;
  seq: number;
  type: string;
  payload: { matchId?: string; call?: { id: string } };
}

async function readEvents(client: pg.Client): Promise<StoredRow[]> {
  const { rows } = await client.query(
    'select user_id, seq::int, type, payload from outbox order by user_id, seq',
  );
  return rows;
}

/** Every fact is told once to each whom it concerns, and nothing else is told. */
async function checkEvents(
  client: pg.Client,
  journals: Map<string, Line[]>,
  events: StoredRow[],
  found: Findings,
): Promise<void> {
  const due = new Map<string, number>();
  const owe = (type: string, id: string, ...users: string[]) => {
    for (const user of users) due.set(`${type} ${id} to ${user}`, 1);
  };
  const { rows } = await client.query(
    'select id, low_id, high_id, status, phase, low_accepted, high_accepted from matches',
  );
  for (const match of rows) {
    owe('match:created', match.id, match.low_id, match.high_id);
    if (match.low_accepted && match.high_accepted) owe('match:ready', match.id, match.low_id, match.high_id);
    if (match.status !== 'active') owe('match:ended', match.id, match.low_id, match.high_id);
  }
  for (const [callId, lines] of journals) {
    const { callerId, calleeId } = lines[0]!.state;
    owe('call:incoming', callId, calleeId);
    const last = lines.at(-1)!.state;
    if (lines.some(({ command }) => command === 'answer')) owe('call:answered', callId, callerId, calleeId);
    if (last.phase === 'ended') owe('call:ended', callId, callerId, calleeId);
    if (last.phase === 'ended' && last.outcome === 'rejected')
      owe('call:rejected', callId, callerId, calleeId);
  }
  for (const { user_id, type, payload } of events) {
    const fact = `${type} ${payload.call?.id ?? payload.matchId} to ${user_id}`;
    due.set(fact, (due.get(fact) ?? 0) - 1);
  }
  for (const [fact, missing] of due) {
    if (missing > 0) found.violations.push(`${fact} was never written`);
    if (missing < 0) found.violations.push(`${fact} was written ${1 - missing} times, or without its fact`);
  }
}

/** Numbers without gaps in the log, and all of them delivered to who listened, in order. */
async function checkInboxes(
  client: pg.Client,
  people: readonly DrillPerson[],
  found: Findings,
): Promise<void> {
  const { rows } = await client.query(
    `select i.user_id, i.seq::int as seq, count(o.*)::int as n, coalesce(min(o.seq), 1)::int as low
     from inboxes i left join outbox o using (user_id) group by i.user_id, i.seq`,
  );
  const standing = new Map(rows.map(({ user_id, seq }) => [user_id, seq]));
  for (const { user_id, seq, n, low } of rows)
    if (n !== seq || low !== 1)
      found.violations.push(`the log of ${user_id} has ${n} events and stands at ${seq}`);
  for (const { id, inbox } of people) {
    for (const gap of inbox.gaps) found.violations.push(`${id} was delivered ${gap}`);
    const seq = standing.get(id) ?? 0;
    if (inbox.seq !== seq) found.violations.push(`${id} was delivered up to ${inbox.seq} of ${seq}`);
  }
}

function deadlineOf(call: Call): number | undefined {
  if (call.phase === 'ringing') return call.ringUntil;
  if (call.phase === 'connecting') return call.connectUntil;
  return call.phase === 'active' ? call.endsAt : undefined;
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
