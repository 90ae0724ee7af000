/**
 * What each SQL statement of matches, calls and inboxes does, in terms of the tables of the simulator. A statement is
 * known by its name; `test/integration/simulation` runs the same random histories against PostgreSQL and compares.
 */
import { GONE_MS, IMPOSSIBLE_LEASE_MS, LEASE_MS } from '../../src/calling/CallStore.ts';
import { UNHELD_MS } from '../../src/calling/Calls.ts';
import type { Call } from '../../src/calling/state.ts';
import type { InboxEventType } from '../../src/events/outbox.ts';
import { SEVERED_DUE_MS } from '../../src/matching/transitions.ts';
import { PEOPLE_STATEMENTS } from './peopleStatements.ts';
import {
  type CallRow,
  ConstraintError,
  type InboxRow,
  type OutboxRow,
  rowsOf,
  type StatementModel,
  type StoredMatch,
  type Tables,
  timeOf,
} from './tables.ts';

export const STATEMENTS: Readonly<Record<string, StatementModel>> = {
  ...PEOPLE_STATEMENTS,
  'call-find': ({ tables }, [id]) => rowsOf(tables.calls.get(id as string)),
  'call-state': ({ tables }, [id]) => rowsOf(tables.calls.get(id as string)),
  'call-live-of-match': ({ tables }, [matchId, id]) =>
    rowsOf(tables.calls.get(id as string) ?? liveCallOf(tables, matchId as string)),
  'call-unanswered': ({ tables }, [matchId, from]) => {
    const since = timeOf(from)!;
    const times = [...tables.calls.values()]
      .filter((call) => call.match_id === matchId && ['missed', 'cancelled'].includes(call.outcome ?? ''))
      .filter((call) => !tables.journal.some((line) => line.call_id === call.id && line.command === 'answer'))
      .filter((call) => call.created_at > since)
      .map((call) => call.created_at);
    return [{ n: times.length, oldest: times.length === 0 ? null : Math.min(...times) }];
  },
  'call-insert': ({ tables, write, now }, [id, matchId, callerId, calleeId, state, createdAt, dueAt]) => {
    if (liveCallOf(tables, matchId as string) !== undefined) throw new ConstraintError('calls_one_live');
    if ([callerId, calleeId].some((one) => tables.erased.has(one as string)))
      throw new ConstraintError('calls_user_id_fkey');
    const row: CallRow = {
      id: id as string,
      match_id: matchId as string,
      caller_id: callerId as string,
      callee_id: calleeId as string,
      phase: 'ringing',
      state: JSON.parse(state as string) as Call,
      outcome: null,
      created_at: timeOf(createdAt)!,
      ended_at: null,
      version: 1,
      owner: null,
      epoch: 0,
      leased_until: now + UNHELD_MS,
      due_at: timeOf(dueAt),
    };
    write.set(tables.calls, row.id, row);
    return [];
  },
  'call-insert-live': ({ tables, write }, [userIds, callId]) => {
    const free = (userIds as string[]).toSorted().filter((userId) => !tables.liveCalls.has(userId));
    for (const userId of free) write.set(tables.liveCalls, userId, callId as string);
    return free.map((user_id) => ({ user_id }));
  },
  'call-insert-journal': ({ tables, write, now }, [callId, byId, state]) => {
    write.append(tables.journal, {
      call_id: callId as string,
      version: 1,
      at: now,
      epoch: 0,
      command: 'initiate',
      by_id: byId as string,
      command_id: null,
      state: JSON.parse(state as string) as Call,
    });
    return [];
  },
  'call-claim': ({ tables, write, now }, [id, owner, leaseMs, mayTakeOver]) => {
    const row = tables.calls.get(id as string);
    if (row === undefined || row.phase === 'ended') return [];
    if (row.owner !== null && row.owner !== owner && !(mayTakeOver && isUnheld(tables, row, now))) return [];
    const kept = row.leased_until === null ? null : row.leased_until - (leaseMs as number);
    const claimed: CallRow = {
      ...row,
      owner: owner as string,
      epoch: row.epoch + 1,
      leased_until: now + (leaseMs as number),
    };
    write.set(tables.calls, row.id, claimed);
    const held_until = row.owner === null ? row.leased_until : kept;
    const owner_lives = row.owner !== null && tables.names.has(row.owner);
    return [{ ...claimed, held_until, now, owner_lives }];
  },
  'call-save': ({ tables, write, now }, values) => {
    const [id, epoch, state, phase, outcome, endedAt, dueAt, version, leaseMs] = values;
    const row = tables.calls.get(id as string);
    if (row === undefined || row.epoch !== epoch || row.version !== version) return [];
    const saved: CallRow = {
      ...row,
      state: JSON.parse(state as string) as Call,
      phase: phase as Call['phase'],
      outcome: outcome as string | null,
      ended_at: timeOf(endedAt),
      due_at: timeOf(dueAt),
      version: row.version + 1,
      owner: phase === 'ended' ? null : row.owner,
      leased_until: phase === 'ended' || row.owner === null ? row.leased_until : now + (leaseMs as number),
    };
    write.set(tables.calls, row.id, saved);
    return [{ version: saved.version }];
  },
  'call-reread': ({ tables }, [id, epoch]) =>
    rowsOf(tables.calls.get(id as string)).filter((row) => row.epoch === epoch),
  'call-recent-ids': ({ tables }, [callId]) =>
    tables.journal
      .filter((line) => line.call_id === callId && line.command_id !== null)
      .reverse()
      .slice(0, 32),
  'call-journal': ({ tables, write, now }, values) => {
    const [callId, version, epoch, command, byId, , state, commandId] = values;
    write.append(tables.journal, {
      call_id: callId as string,
      version: version as number,
      at: now,
      epoch: epoch as number,
      command: command as string,
      by_id: byId as string | null,
      command_id: commandId as string | null,
      state: JSON.parse(state as string) as Call,
    });
    return [];
  },
  'call-leave-live': ({ tables, write }, [callId, userIds]) => {
    for (const userId of userIds as string[]) {
      if (tables.liveCalls.get(userId) === callId) write.delete(tables.liveCalls, userId);
    }
    return [];
  },
  'call-renew': ({ tables, write, now }, [owner, ids, epochs, leaseMs, versions]) =>
    (ids as string[]).flatMap((id, index) => {
      const row = tables.calls.get(id);
      const isMine = row?.epoch === (epochs as number[])[index];
      if (row === undefined || !isMine || (row.owner !== owner && row.phase !== 'ended'))
        return [{ id, version: 0, fate: 'lost' }];
      if (row.owner === owner)
        write.set(tables.calls, id, { ...row, leased_until: now + (leaseMs as number) });
      const { version } = row;
      if (tables.matches.get(row.match_id)?.phase === 'closed') return [{ id, version, fate: 'severed' }];
      return version > (versions as number[])[index]! ? [{ id, version, fate: 'changed' }] : [];
    }),
  'call-release': ({ tables, write, now }, [id, epoch]) => {
    const row = tables.calls.get(id as string);
    if (row === undefined || row.epoch !== epoch || row.owner === null) return [];
    write.set(tables.calls, row.id, { ...row, owner: null, leased_until: now });
    return [];
  },
  'sweep-calls': ({ tables, now }, [dueBy]) =>
    [...tables.calls.values()]
      .filter((call) => call.due_at !== null && call.phase !== 'ended')
      .filter(
        (call) => isUnheld(tables, call, now) || (call.owner === null && call.due_at! <= timeOf(dueBy)!),
      )
      .sort((one, other) => one.due_at! - other.due_at!),
  'match-find': ({ tables }, [id]) => rowsOf(tables.matches.get(id as string)),
  'match-lock': ({ tables }, [id]) => rowsOf(tables.matches.get(id as string)),
  'match-between': ({ tables }, [oneId, otherId]) =>
    [...tables.matches.values()].filter(
      (match) =>
        match.status === 'active' &&
        [match.low_id, match.high_id].includes(oneId as string) &&
        [match.low_id, match.high_id].includes(otherId as string),
    ),
  'match-save': ({ tables, write }, values) => {
    const [id, status, phase, lowAccepted, highAccepted, warned, endedAt, endReason, dueAt] = values;
    const row = tables.matches.get(id as string);
    if (row === undefined) return [];
    write.set(tables.matches, row.id, {
      ...row,
      status: status as StoredMatch['status'],
      phase: phase as StoredMatch['phase'],
      low_accepted: lowAccepted as boolean,
      high_accepted: highAccepted as boolean,
      warned: warned as boolean,
      ended_at: timeOf(endedAt),
      end_reason: endReason as StoredMatch['end_reason'],
      due_at: timeOf(dueAt),
      version: row.version + 1,
    });
    return [];
  },
  'match-active-of': ({ tables }, [userId]) => {
    const id = userId as string;
    const talksIn = tables.calls.get(tables.liveCalls.get(id) ?? '')?.match_id;
    return [...tables.matches.values()]
      .filter((match) => match.status === 'active' && (match.low_id === id || match.high_id === id))
      .sort((one, other) =>
        one.id === talksIn ? -1 : other.id === talksIn ? 1 : one.id < other.id ? -1 : 1,
      );
  },
  'safety-sever-pair': ({ tables, write }, [oneId, otherId]) => {
    for (const match of tables.matches.values()) {
      const isTheirs = [match.low_id, match.high_id].every((id) => id === oneId || id === otherId);
      if (isTheirs && match.status === 'active')
        write.set(tables.matches, match.id, { ...match, due_at: SEVERED_DUE_MS });
    }
    return [];
  },
  'sweep-matches': ({ tables }, [dueBy]) =>
    [...tables.matches.values()]
      .filter((match) => match.due_at !== null && match.due_at <= timeOf(dueBy)!)
      .sort((one, other) => one.due_at! - other.due_at!),
  'outbox-append': ({ tables, write, now }, [userIds, types, payloads]) =>
    (userIds as string[]).map((userId, index) => {
      if (tables.erased.has(userId)) throw new ConstraintError('inboxes_user_id_fkey');
      const inbox: InboxRow = tables.inboxes.get(userId) ?? { user_id: userId, epoch: 1, seq: 0, acked: 0 };
      const seq = inbox.seq + 1;
      write.set(tables.inboxes, userId, { ...inbox, seq });
      const log = tables.outbox.get(userId) ?? [];
      if (log.length === 0) write.set(tables.outbox, userId, log);
      const event: OutboxRow = {
        user_id: userId,
        seq,
        epoch: inbox.epoch,
        type: (types as string[])[index] as InboxEventType,
        payload: JSON.parse((payloads as string[])[index]!) as object,
        at: now,
      };
      write.append(log, event);
      return { ...event, ord: index + 1 };
    }),
  'inbox-beginning': ({ tables }, [userId]) =>
    rowsOf(tables.inboxes.get(userId as string)).map(({ user_id, epoch, acked }) => {
      const call = tables.calls.get(tables.liveCalls.get(user_id) ?? '');
      const isRung = call?.phase === 'ringing' && call.callee_id === user_id;
      const rings = ({ type, payload }: OutboxRow) =>
        type === 'call:incoming' && (payload as { call: { id: string } }).call.id === call?.id;
      const ringing = isRung ? tables.outbox.get(user_id)?.findLast(rings)?.seq : undefined;
      return { epoch, acked, ringing: ringing ?? null };
    }),
  'inbox-position': ({ tables }, [userId]) =>
    rowsOf(tables.inboxes.get(userId as string)).map(({ epoch, seq, acked }) => ({ epoch, seq, acked })),
  // The last by number and the last by time may be two: the clock may have been set.
  'inbox-recent': ({ tables, now }, [sec]) =>
    [...tables.outbox].flatMap(([user_id, log]) => {
      const lately = log.filter((event) => event.at >= now - (sec as number) * 1_000);
      const last = lately.at(-1);
      return last === undefined
        ? []
        : [{ user_id, seq: last.seq, at: Math.max(...lately.map(({ at }) => at)) }];
    }),
  'inbox-behind': ({ tables }, [userIds, seqs, ats]) =>
    (userIds as string[])
      .filter((userId, i) => {
        const [seq, at] = [(seqs as number[])[i]!, (ats as (string | null)[])[i]!];
        const isTold = tables.outbox
          .get(userId)
          ?.some((event) => event.seq === seq && event.at === Date.parse(at!));
        return (tables.inboxes.get(userId)?.seq ?? 0) !== seq || (at !== null && !isTold);
      })
      .map((user_id) => ({ user_id })),
  'inbox-read-from': ({ tables }, [userId, from, limit]) =>
    (tables.outbox.get(userId as string) ?? [])
      .filter((event) => event.seq >= (from as number))
      .slice(0, limit as number),
  'outbox-of-call': ({ tables }, [userIds, callId]) =>
    (userIds as string[])
      .toSorted()
      .flatMap((userId) =>
        (tables.outbox.get(userId) ?? []).filter(
          ({ payload }) => (payload as { call?: { id: string } }).call?.id === callId,
        ),
      ),
  'inbox-ack': ({ tables, write }, [userId, seq]) => {
    const inbox = tables.inboxes.get(userId as string);
    if (inbox === undefined || inbox.acked >= (seq as number)) return [];
    const acked = Math.max(inbox.acked, Math.min(seq as number, inbox.seq));
    write.set(tables.inboxes, inbox.user_id, { ...inbox, acked });
    return [];
  },
};

function liveCallOf(tables: Tables, matchId: string): CallRow | undefined {
  for (const call of tables.calls.values()) {
    if (call.match_id === matchId && call.phase !== 'ended') return call;
  }
  return undefined;
}

/** `isUnheld` of `src/calling/CallStore.ts`. */
function isUnheld({ names }: Tables, { owner, leased_until: until }: CallRow, now: number): boolean {
  if (until === null) return false;
  const isFree = owner !== null && !names.has(owner);
  if (until > now + IMPOSSIBLE_LEASE_MS) return owner === null || isFree;
  return until < now || (until < now + LEASE_MS - GONE_MS && isFree);
}
