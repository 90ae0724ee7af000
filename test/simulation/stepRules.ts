/**
 * What one step of a call may be, said a second time and in another way than the rules say it: by comparing what was
 * written before with what was written after. Returns what is wrong with the step, or undefined.
 */
import {
  type ActiveCall,
  type Call,
  type CallSettings,
  type EndedCall,
  type Outcome,
  otherRole,
  type Role,
  roleOf,
} from '../../src/calling/state.ts';
import type { JournalRow } from './tables.ts';

/** Commands of the server itself; all others are a person's. */
const SYSTEM = new Set(['media_flowing', 'sever', 'recover', 'tick']);

/** How each phase may be left for good: command → by whom → outcome. */
const ENDS: Record<'ringing' | 'connecting' | 'active', Record<string, readonly Outcome[]>> = {
  ringing: {
    'end by caller': ['cancelled'],
    'end by callee': ['rejected'],
    'reject by callee': ['rejected'],
    tick: ['missed'],
    sever: ['unavailable'],
  },
  connecting: {
    'end by caller': ['cancelled'],
    'end by callee': ['cancelled'],
    tick: ['failed'],
    sever: ['unavailable'],
  },
  active: {
    'end by caller': ['completed'],
    'end by callee': ['completed'],
    tick: ['timed_out', 'failed'],
    sever: ['completed'],
  },
};

export interface StepContext {
  settings: CallSettings;
  /** When it was written. */
  now: number;
  /** How far a process's clock may be from the database's. */
  skewMs: number;
  /** How often each person's wish of a kind reached the server: `extend`, `answer:video` … */
  asked: (role: Role, wish: string) => number;
}

export function wrongStep(
  before: Call | undefined,
  line: JournalRow,
  context: StepContext,
): string | undefined {
  const after = line.state;
  if (before === undefined) {
    return line.command === 'initiate' && after.phase === 'ringing' ? undefined : 'did not begin by ringing';
  }
  if (before.phase === 'ended') return 'changed after its end';
  const by = line.by_id === null ? null : roleOf(before, line.by_id);
  if (by === undefined) return 'changed by a stranger';
  if ((by === null) !== SYSTEM.has(line.command)) return 'changed by somebody who may not';
  for (const key of ['id', 'matchId', 'callerId', 'calleeId', 'createdAt', 'mediaRequested'] as const) {
    if (before[key] !== after[key]) return `changed its ${key}`;
  }
  const who = by === null ? line.command : `${line.command} by ${by}`;
  if (after.phase === 'ended') return wrongEnd(before, after, who, line, context);
  if (after.phase !== before.phase) return wrongAdvance(before, after, who, context);
  if (after.phase === 'active') return wrongTalk(before as ActiveCall, after, by, line, context);
  if (line.command !== 'recover' && before.ringUntil !== after.ringUntil) return 'moved its ringUntil';
  if (before.phase === 'connecting' && after.phase === 'connecting') {
    if (line.command !== 'recover' && before.connectUntil !== after.connectUntil) {
      return 'moved its connectUntil';
    }
    if (after.media !== before.media && !(after.media === 'audio' && line.command === 'downgrade')) {
      return 'changed its media before it began';
    }
  }
  return undefined;
}

function wrongEnd(
  before: Exclude<Call, EndedCall>,
  after: EndedCall,
  who: string,
  line: JournalRow,
  { now, skewMs }: StepContext,
): string | undefined {
  if (!ENDS[before.phase][who]?.includes(after.outcome)) return `ended as ${after.outcome} through ${who}`;
  if (before.phase !== 'active')
    return after.startedAt === null ? undefined : 'ended with a time it never had';
  if (after.startedAt !== before.startedAt || after.endsAt !== before.endsAt)
    return 'lost its times at the end';
  if (after.extensions !== before.extensions) return 'lost its extensions at the end';
  if (after.outcome === 'timed_out' && after.endedAt !== before.endsAt)
    return 'ran out at another time than its own';
  if (after.endedAt > before.endsAt + skewMs) return 'ended after its time';
  if (line.command === 'tick' && now < after.endedAt - skewMs) return 'fired a deadline early';
  return undefined;
}

function wrongAdvance(
  before: Exclude<Call, EndedCall>,
  after: Exclude<Call, EndedCall>,
  who: string,
  { settings, asked }: StepContext,
): string | undefined {
  if (before.phase === 'ringing' && after.phase === 'connecting') {
    if (who !== 'answer by callee') return `was answered through ${who}`;
    if (after.media === 'audio') return undefined;
    if (before.mediaRequested !== 'video') return 'has video that the caller never asked for';
    return asked('callee', 'answer:video') > 0 ? undefined : 'has video that the callee never consented to';
  }
  if (before.phase === 'connecting' && after.phase === 'active') {
    if (who !== 'media_flowing') return `began to count through ${who}`;
    if (after.endsAt - after.startedAt !== settings.durationMs) return 'began with another time than it has';
    if (after.media !== before.media) return 'changed its media as it began';
    if (after.extensions !== 0 || after.warned) return 'began in the middle';
    const question = after.pending;
    if (question === null) return undefined;
    if (before.videoWithdrawn) return 'began with a question that was taken back';
    const fromRing = question.kind === 'upgrade' && question.by === 'caller';
    return fromRing && before.mediaRequested === 'video' ? undefined : 'began with a question nobody asked';
  }
  return `went from ${before.phase} to ${after.phase}`;
}

function wrongTalk(
  before: ActiveCall,
  after: ActiveCall,
  by: Role | null,
  line: JournalRow,
  context: StepContext,
): string | undefined {
  if (after.startedAt !== before.startedAt) return 'moved its beginning';
  const { command } = line;
  const consents = (kind: 'extend' | 'upgrade') =>
    command === kind && by !== null && before.pending?.kind === kind && before.pending.by === otherRole(by);
  const movedMs = after.endsAt - before.endsAt;
  if (after.extensions !== before.extensions) {
    if (!consents('extend')) return 'was extended by one alone';
    if (after.extensions !== before.extensions + 1 || movedMs !== context.settings.extensionMs) {
      return 'was extended by another time than one extension';
    }
    if (after.extensions > after.maxExtensions) return 'was extended too often';
    const wishes = Math.min(context.asked('caller', 'extend'), context.asked('callee', 'extend'));
    if (after.extensions > wishes) return 'was extended more often than both asked for it';
  } else if (movedMs !== 0 && command !== 'recover')
    return `moved its end by ${movedMs} ms through ${command}`;
  if (after.media !== before.media) {
    const isNo = command === 'downgrade' || command === 'decline_upgrade';
    const allowed = after.media === 'video' ? consents('upgrade') : isNo && by !== null;
    if (!allowed) return `went from ${before.media} to ${after.media} through ${command}`;
  }
  if (after.warned !== before.warned) {
    if (after.warned ? command !== 'tick' : !consents('extend')) return 'was warned out of turn';
    if (after.warned && context.now < after.endsAt - context.settings.warningMs - context.skewMs) {
      return 'was warned early';
    }
  }
  return wrongQuestion(before, after, by, line, context);
}

/** What one asked and the other has not answered: asked by oneself, and gone only by an answer or in time. */
function wrongQuestion(
  { pending: was }: ActiveCall,
  { pending: is }: ActiveCall,
  by: Role | null,
  line: JournalRow,
  { now, skewMs, asked }: StepContext,
): string | undefined {
  if (was === null && is === null) return undefined;
  if (was === null) {
    if (line.command !== is!.kind || by !== is!.by) return 'has a question of somebody who did not ask';
    return asked(is!.by, is!.kind) > 0 ? undefined : 'has a question that nobody asked';
  }
  if (is !== null) {
    if (is.kind !== was.kind || is.by !== was.by) return 'has one question in place of another';
    return is.until === was.until || line.command === 'recover'
      ? undefined
      : 'has a question of another length';
  }
  if (line.command === 'tick') return now < was.until - skewMs ? 'dropped a question early' : undefined;
  const answered = line.command === was.kind && by === otherRole(was.by);
  const declined =
    line.command === `decline_${was.kind}` || (was.kind === 'upgrade' && line.command === 'downgrade');
  return answered || declined ? undefined : `dropped a question through ${line.command}`;
}
