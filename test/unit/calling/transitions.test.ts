import { describe, expect, test } from 'vitest';
import type { CallChange } from '../../../src/calling/effects.ts';
import { type Call, type CallSettings, mediaPolicy, type Role } from '../../../src/calling/state.ts';
import {
  byPerson,
  bySystem,
  dueAt,
  type PersonCommand,
  ring,
  type SystemCommand,
} from '../../../src/calling/transitions.ts';
import { isRefusal } from '../../../src/errors.ts';

const T0 = 1_000_000;
const settings: CallSettings = {
  ringMs: 30_000,
  durationMs: 300_000,
  extensionMs: 300_000,
  maxExtensions: 2,
  warningMs: 30_000,
  requestMs: 20_000,
  reconnectMs: 30_000,
};
const ids = { id: 'call', matchId: 'match', callerId: 'ann', calleeId: 'bob' };

function person(call: Call, command: PersonCommand, by: Role, now = T0): Call {
  return expectChange(byPerson(call, command, by, now, settings)).call;
}

function system(call: Call, command: SystemCommand, now = T0): Call {
  return expectChange(bySystem(call, command, now, settings)).call;
}

function expectChange(change: ReturnType<typeof byPerson>): CallChange {
  if (isRefusal(change)) throw new Error(`refused: ${change.refused}`);
  return change;
}

const ringing = ring(ids, 'audio', settings, T0).call;
const connecting = person(ringing, { type: 'answer' }, 'callee');
const bothThere = person(person(connecting, { type: 'joined' }, 'caller'), { type: 'joined' }, 'callee');
const active = system(bothThere, { type: 'media_flowing' });
const extendAsked = person(active, { type: 'extend' }, 'caller');
const upgradeAsked = person(active, { type: 'upgrade' }, 'caller');
const video = person(upgradeAsked, { type: 'upgrade' }, 'callee');
const exhausted: Call = { ...active, extensions: 2 } as Call;
const ended = person(active, { type: 'end' }, 'caller', T0 + 5_000);
const rejected = person(ringing, { type: 'reject' }, 'callee');

const calls = { ringing, connecting, active, extendAsked, upgradeAsked, video, exhausted, ended, rejected };
type Name = keyof typeof calls;

/**
 * Every phase × command × role. A cell is the refusal's code, `=` for "answered, nothing changes", or what changed:
 * the new phase, or the effect by which the change shows.
 */
const TABLE: Record<
  Exclude<PersonCommand['type'], 'joined' | 'dropped'>,
  Record<Name, [caller: string, callee: string]>
> = {
  answer: {
    ringing: ['FORBIDDEN', 'connecting'],
    connecting: ['WRONG_PHASE', 'WRONG_PHASE'],
    active: ['WRONG_PHASE', 'WRONG_PHASE'],
    extendAsked: ['WRONG_PHASE', 'WRONG_PHASE'],
    upgradeAsked: ['WRONG_PHASE', 'WRONG_PHASE'],
    video: ['WRONG_PHASE', 'WRONG_PHASE'],
    exhausted: ['WRONG_PHASE', 'WRONG_PHASE'],
    ended: ['CALL_NOT_ACTIVE', 'CALL_NOT_ACTIVE'],
    rejected: ['CALL_NOT_ACTIVE', 'CALL_NOT_ACTIVE'],
  },
  reject: {
    ringing: ['FORBIDDEN', 'rejected'],
    connecting: ['WRONG_PHASE', 'WRONG_PHASE'],
    active: ['WRONG_PHASE', 'WRONG_PHASE'],
    extendAsked: ['WRONG_PHASE', 'WRONG_PHASE'],
    upgradeAsked: ['WRONG_PHASE', 'WRONG_PHASE'],
    video: ['WRONG_PHASE', 'WRONG_PHASE'],
    exhausted: ['WRONG_PHASE', 'WRONG_PHASE'],
    ended: ['CALL_NOT_ACTIVE', 'CALL_NOT_ACTIVE'],
    rejected: ['=', '='],
  },
  end: {
    ringing: ['cancelled', 'rejected'],
    connecting: ['cancelled', 'cancelled'],
    active: ['completed', 'completed'],
    extendAsked: ['completed', 'completed'],
    upgradeAsked: ['completed', 'completed'],
    video: ['completed', 'completed'],
    exhausted: ['completed', 'completed'],
    ended: ['=', '='],
    rejected: ['=', '='],
  },
  extend: {
    ringing: ['WRONG_PHASE', 'WRONG_PHASE'],
    connecting: ['WRONG_PHASE', 'WRONG_PHASE'],
    active: ['call:extend_requested', 'call:extend_requested'],
    extendAsked: ['=', 'call:extended'],
    upgradeAsked: ['CONFLICT', 'CONFLICT'],
    video: ['call:extend_requested', 'call:extend_requested'],
    exhausted: ['EXTENSION_LIMIT', 'EXTENSION_LIMIT'],
    ended: ['CALL_NOT_ACTIVE', 'CALL_NOT_ACTIVE'],
    rejected: ['CALL_NOT_ACTIVE', 'CALL_NOT_ACTIVE'],
  },
  decline_extend: {
    ringing: ['WRONG_PHASE', 'WRONG_PHASE'],
    connecting: ['WRONG_PHASE', 'WRONG_PHASE'],
    active: ['WRONG_PHASE', 'WRONG_PHASE'],
    extendAsked: ['call:extend_declined', 'call:extend_declined'],
    upgradeAsked: ['WRONG_PHASE', 'WRONG_PHASE'],
    video: ['WRONG_PHASE', 'WRONG_PHASE'],
    exhausted: ['WRONG_PHASE', 'WRONG_PHASE'],
    ended: ['CALL_NOT_ACTIVE', 'CALL_NOT_ACTIVE'],
    rejected: ['CALL_NOT_ACTIVE', 'CALL_NOT_ACTIVE'],
  },
  upgrade: {
    ringing: ['WRONG_PHASE', 'WRONG_PHASE'],
    connecting: ['WRONG_PHASE', 'WRONG_PHASE'],
    active: ['call:upgrade_requested', 'call:upgrade_requested'],
    extendAsked: ['CONFLICT', 'CONFLICT'],
    upgradeAsked: ['=', 'call:upgraded'],
    video: ['=', '='],
    exhausted: ['call:upgrade_requested', 'call:upgrade_requested'],
    ended: ['CALL_NOT_ACTIVE', 'CALL_NOT_ACTIVE'],
    rejected: ['CALL_NOT_ACTIVE', 'CALL_NOT_ACTIVE'],
  },
  decline_upgrade: {
    ringing: ['WRONG_PHASE', 'WRONG_PHASE'],
    connecting: ['WRONG_PHASE', 'WRONG_PHASE'],
    active: ['WRONG_PHASE', 'WRONG_PHASE'],
    extendAsked: ['WRONG_PHASE', 'WRONG_PHASE'],
    upgradeAsked: ['call:upgrade_declined', 'call:upgrade_declined'],
    video: ['call:downgraded', 'call:downgraded'],
    exhausted: ['WRONG_PHASE', 'WRONG_PHASE'],
    ended: ['CALL_NOT_ACTIVE', 'CALL_NOT_ACTIVE'],
    rejected: ['CALL_NOT_ACTIVE', 'CALL_NOT_ACTIVE'],
  },
  downgrade: {
    ringing: ['WRONG_PHASE', 'WRONG_PHASE'],
    connecting: ['=', '='],
    active: ['=', '='],
    extendAsked: ['=', '='],
    upgradeAsked: ['call:upgrade_declined', 'call:upgrade_declined'],
    video: ['call:downgraded', 'call:downgraded'],
    exhausted: ['=', '='],
    ended: ['CALL_NOT_ACTIVE', 'CALL_NOT_ACTIVE'],
    rejected: ['CALL_NOT_ACTIVE', 'CALL_NOT_ACTIVE'],
  },
};

function cell(call: Call, command: PersonCommand, by: Role): string {
  const change = byPerson(call, command, by, T0 + 1_000, settings);
  if (isRefusal(change)) return change.refused;
  if (change.call === call) return '=';
  if (change.call.phase === 'ended') return change.call.outcome;
  if (change.call.phase !== call.phase) return change.call.phase;
  return change.effects.find((effect) => effect.kind === 'say')?.type ?? 'silent';
}

describe('every command in every phase by either person', () => {
  for (const [type, row] of Object.entries(TABLE)) {
    for (const [name, expected] of Object.entries(row)) {
      test(`${type} in ${name}`, () => {
        const command = { type } as PersonCommand;
        const call = calls[name as Name];
        expect([cell(call, command, 'caller'), cell(call, command, 'callee')]).toEqual(expected);
      });
    }
  }
});

describe('the clock', () => {
  test('starts when media flows both ways, not before', () => {
    expect(connecting.phase).toBe('connecting');
    expect(active).toMatchObject({ phase: 'active', startedAt: T0, endsAt: T0 + 300_000 });
  });

  test('warns once, then ends the call at endsAt exactly', () => {
    const warnAt = T0 + 270_000;
    expect(dueAt(active, settings)).toBe(warnAt);
    const warned = expectChange(bySystem(active, { type: 'tick' }, warnAt, settings));
    expect(warned.effects).toEqual([{ kind: 'say', type: 'call:timeout_warning', remainingMs: 30_000 }]);
    expect(dueAt(warned.call, settings)).toBe(T0 + 300_000);
    expect(system(active, { type: 'tick' }, warnAt - 1)).toBe(active);
    expect(system(warned.call, { type: 'tick' }, T0 + 299_999)).toBe(warned.call);
    expect(system(warned.call, { type: 'tick' }, T0 + 300_000).phase).toBe('ended');
    const over = system(warned.call, { type: 'tick' }, T0 + 300_700);
    expect(over).toMatchObject({ phase: 'ended', outcome: 'timed_out', endedAt: T0 + 300_000 });
  });

  test('an extension moves the end and warns anew', () => {
    const warned = system(active, { type: 'tick' }, T0 + 270_000);
    const extended = person(person(warned, { type: 'extend' }, 'caller'), { type: 'extend' }, 'callee');
    expect(extended).toMatchObject({ endsAt: T0 + 600_000, extensions: 1, warned: false, pending: null });
  });

  test('a question stands until its time, then counts as declined', () => {
    expect(dueAt(extendAsked, settings)).toBe(T0 + 20_000);
    expect(system(extendAsked, { type: 'tick' }, T0 + 19_999)).toBe(extendAsked);
    const expired = expectChange(bySystem(extendAsked, { type: 'tick' }, T0 + 20_000, settings));
    expect(expired.call).toMatchObject({ pending: null, endsAt: T0 + 300_000 });
    expect(expired.effects).toEqual([{ kind: 'say', type: 'call:extend_declined', by: 'callee' }]);
  });

  test('a question stands no longer than the call', () => {
    const late = person(active, { type: 'upgrade' }, 'callee', T0 + 290_000);
    expect(late).toMatchObject({ pending: { until: T0 + 300_000 } });
  });

  test('ringing ends as missed, connecting as failed', () => {
    expect(system(ringing, { type: 'tick' }, T0 + 30_000)).toMatchObject({
      phase: 'ended',
      outcome: 'missed',
    });
    expect(system(connecting, { type: 'tick' }, T0 + 30_000)).toMatchObject({
      phase: 'ended',
      outcome: 'failed',
    });
  });

  test('a person gone for too long ends the call; one who comes back in time does not', () => {
    const gone = person(active, { type: 'dropped' }, 'callee', T0 + 10_000);
    expect(dueAt(gone, settings)).toBe(T0 + 40_000);
    const back = person(gone, { type: 'joined' }, 'callee', T0 + 39_000);
    expect(system(back, { type: 'tick' }, T0 + 41_000)).toBe(back);
    expect(system(gone, { type: 'tick' }, T0 + 40_000)).toMatchObject({ outcome: 'failed', startedAt: T0 });
  });

  test('whoever hears that the other is gone hears of the return, while they connect as well; a first join is none', () => {
    const said = (call: Call, command: PersonCommand, now = T0 + 1_000) => {
      const change = expectChange(byPerson(call, command, 'callee', now, settings));
      return { call: change.call, said: change.effects.map(({ type }) => type) };
    };
    const came = said(connecting, { type: 'joined' });
    expect(came.said).toEqual([]);
    for (const call of [came.call, person(active, { type: 'joined' }, 'callee')]) {
      const gone = said(call, { type: 'dropped' });
      expect(gone.said).toEqual(['call:peer_dropped']);
      expect(said(gone.call, { type: 'joined' }).said).toEqual(['call:peer_back']);
    }
    // Who came and went while it rang was never there for the caller.
    const looked = said(said(ringing, { type: 'joined' }).call, { type: 'dropped' });
    expect(looked.said).toEqual([]);
    const answered = person(looked.call, { type: 'answer' }, 'callee', T0 + 2_000);
    expect(said(answered, { type: 'joined' }, T0 + 3_000).said).toEqual([]);
  });

  test('of two overdue deadlines the earlier one decides', () => {
    const gone = person(active, { type: 'dropped' }, 'callee', T0 + 290_000);
    expect(system(gone, { type: 'tick' }, T0 + 900_000)).toMatchObject({
      outcome: 'timed_out',
      endedAt: T0 + 300_000,
    });
  });

  test('an outage of the server is credited to every deadline, a person’s own drop is not', () => {
    const recovered = system(extendAsked, { type: 'recover', heldUntil: T0 + 1_000 }, T0 + 8_500);
    expect(recovered).toMatchObject({
      endsAt: T0 + 307_500,
      pending: { until: T0 + 27_500 },
      absentSince: { caller: T0 + 8_500, callee: T0 + 8_500 },
    });
    const dropped = person(active, { type: 'dropped' }, 'caller', T0 + 1_000);
    expect(dropped).toMatchObject({ endsAt: T0 + 300_000 });
  });

  test('… and leaves the rest of the call as it was; nobody is known to be there', () => {
    const [heldUntil, now] = [T0 + 1_000, T0 + 8_500];
    const absentSince = { caller: now, callee: now };
    const recovered = (call: Call, until = heldUntil) =>
      bySystem(call, { type: 'recover', heldUntil: until }, now, settings);
    const seen = person(ringing, { type: 'joined' }, 'callee');
    expect(recovered(seen)).toEqual({ call: { ...ringing, ringUntil: T0 + 37_500 }, effects: [] });
    expect(recovered(bothThere)).toEqual({
      call: { ...connecting, absentSince, connectUntil: T0 + 37_500 },
      effects: [],
    });
    expect(recovered(active)).toEqual({
      call: { ...active, absentSince, endsAt: T0 + 307_500 },
      effects: [],
    });
    expect(recovered(extendAsked).call).toMatchObject({ pending: { kind: 'extend', by: 'caller' } });
    // Clocks differ: what was held until later than now was held.
    expect(recovered(active, now + 500).call).toMatchObject({ endsAt: T0 + 300_000 });
  });
});

describe('consent', () => {
  test('nothing flows before the answer, video only after both consented, and stops when one withdraws', () => {
    expect(mediaPolicy(ringing)).toEqual({ audio: false, video: false });
    expect(mediaPolicy(connecting)).toEqual({ audio: true, video: false });
    expect(mediaPolicy(upgradeAsked)).toEqual({ audio: true, video: false });
    expect(mediaPolicy(video)).toEqual({ audio: true, video: true });
    expect(mediaPolicy(person(video, { type: 'downgrade' }, 'callee'))).toEqual({
      audio: true,
      video: false,
    });
    expect(mediaPolicy(ended)).toEqual({ audio: false, video: false });
  });

  test('a video call that one asked for starts as audio, and as video only when the answer says so', () => {
    const asked = ring(ids, 'video', settings, T0).call;
    const plain = person(asked, { type: 'answer' }, 'callee');
    expect(mediaPolicy(plain)).toEqual({ audio: true, video: false });
    expect(system(plain, { type: 'media_flowing' })).toMatchObject({
      pending: { kind: 'upgrade', by: 'caller' },
    });
    expect(mediaPolicy(person(asked, { type: 'answer', media: 'video' }, 'callee'))).toEqual({
      audio: true,
      video: true,
    });
    // Whoever wants none any more is not taken to ask for it when they begin to talk.
    const both = person(asked, { type: 'answer', media: 'video' }, 'callee');
    for (const answered of [plain, both])
      for (const by of ['caller', 'callee'] as const) {
        const withdrawn = person(answered, { type: 'downgrade' }, by);
        expect(mediaPolicy(withdrawn)).toEqual({ audio: true, video: false });
        expect(system(withdrawn, { type: 'media_flowing' })).toMatchObject({
          phase: 'active',
          pending: null,
        });
      }
    // Video that nobody asked for cannot be had by answering with it.
    expect(mediaPolicy(person(ringing, { type: 'answer', media: 'video' }, 'callee'))).toEqual({
      audio: true,
      video: false,
    });
  });
});

describe('a call from beginning to end', () => {
  test('rings as nobody’s yet, and in the callee’s inbox', () => {
    expect(ring(ids, 'video', settings, T0)).toEqual({
      call: {
        ...ids,
        phase: 'ringing',
        mediaRequested: 'video',
        createdAt: T0,
        ringUntil: T0 + 30_000,
        maxExtensions: 2,
        absentSince: { caller: T0, callee: T0 },
      },
      effects: [{ kind: 'notify', to: 'callee', type: 'call:incoming' }],
    });
  });

  test('is answered with the time to connect, and begins with a clock and nothing asked', () => {
    const answered = person(ringing, { type: 'answer' }, 'callee', T0 + 5_000);
    expect(answered).toEqual({ ...ringing, phase: 'connecting', media: 'audio', connectUntil: T0 + 35_000 });
    const there = person(answered, { type: 'joined' }, 'callee');
    const started = expectChange(bySystem(there, { type: 'media_flowing' }, T0 + 6_000, settings));
    expect(started).toEqual({
      call: {
        ...ringing,
        phase: 'active',
        media: 'audio',
        startedAt: T0 + 6_000,
        endsAt: T0 + 306_000,
        extensions: 0,
        warned: false,
        pending: null,
        // Who is not in the room yet has as long to come as whoever drops now.
        absentSince: { caller: T0 + 6_000, callee: null },
      },
      effects: [],
    });
  });

  test('that both took for video asks nobody for it again', () => {
    const asked = ring(ids, 'video', settings, T0).call;
    const both = person(asked, { type: 'answer', media: 'video' }, 'callee');
    expect(system(both, { type: 'media_flowing' })).toMatchObject({ media: 'video', pending: null });
  });

  test('has ended as what it was', () => {
    const { absentSince: _, ...record } = ringing as Extract<Call, { phase: 'ringing' }>;
    const nothing = { startedAt: null, endsAt: null, extensions: 0, media: 'audio' };
    for (const call of [ringing, connecting])
      expect(person(call, { type: 'end' }, 'caller', T0 + 5_000)).toEqual({
        ...record,
        ...nothing,
        phase: 'ended',
        outcome: 'cancelled',
        endedAt: T0 + 5_000,
      });
    const extended = person(person(video, { type: 'extend' }, 'caller'), { type: 'extend' }, 'callee');
    expect(person(extended, { type: 'end' }, 'caller', T0 + 5_000)).toEqual({
      ...record,
      phase: 'ended',
      media: 'video',
      outcome: 'completed',
      startedAt: T0,
      endsAt: T0 + 600_000,
      extensions: 1,
      endedAt: T0 + 5_000,
    });
  });
});

describe('who is there', () => {
  test('coming twice, and going twice, is once', () => {
    expect(person(active, { type: 'joined' }, 'caller')).toBe(active);
    const gone = person(active, { type: 'dropped' }, 'caller', T0 + 1_000);
    expect(person(gone, { type: 'dropped' }, 'caller', T0 + 9_000)).toBe(gone);
    expect(person(ended, { type: 'dropped' }, 'caller')).toBe(ended);
  });

  test('who comes and goes is named, and changes nothing of the other', () => {
    const gone = expectChange(byPerson(active, { type: 'dropped' }, 'callee', T0 + 1_000, settings));
    expect(gone.effects).toEqual([{ kind: 'say', type: 'call:peer_dropped', by: 'callee' }]);
    expect(gone.call).toEqual({ ...active, absentSince: { caller: null, callee: T0 + 1_000 } });
    const back = expectChange(byPerson(gone.call, { type: 'joined' }, 'callee', T0 + 2_000, settings));
    expect(back).toEqual({ call: active, effects: [{ kind: 'say', type: 'call:peer_back', by: 'callee' }] });
    const waits = person(ringing, { type: 'joined' }, 'caller');
    const looked = person(person(waits, { type: 'joined' }, 'callee'), { type: 'dropped' }, 'callee', T0 + 9);
    expect(looked).toEqual(waits);
  });

  test('of two who are gone, the first to go decides when the call is given up', () => {
    const one = person(active, { type: 'dropped' }, 'caller', T0 + 1_000);
    const both = person(one, { type: 'dropped' }, 'callee', T0 + 9_000);
    expect(dueAt(both, settings)).toBe(T0 + 31_000);
    expect(system(both, { type: 'tick' }, T0 + 30_999)).toBe(both);
    expect(system(both, { type: 'tick' }, T0 + 40_000)).toMatchObject({
      outcome: 'failed',
      endedAt: T0 + 31_000,
    });
  });

  test('who would be given up on at the very end has talked to the end', () => {
    const gone = person(active, { type: 'dropped' }, 'callee', T0 + 270_000);
    expect(system(gone, { type: 'tick' }, T0 + 300_000)).toMatchObject({ outcome: 'timed_out' });
  });
});

describe('what is said', () => {
  const said = (call: Call, command: PersonCommand, by: Role) =>
    expectChange(byPerson(call, command, by, T0 + 1_000, settings)).effects;

  test('names the one who did it', () => {
    const until = T0 + 21_000;
    for (const [call, type, by, effect] of [
      [active, 'extend', 'callee', { type: 'call:extend_requested', by: 'callee', until }],
      [active, 'upgrade', 'caller', { type: 'call:upgrade_requested', by: 'caller', until }],
      [extendAsked, 'extend', 'callee', { type: 'call:extended', by: 'callee' }],
      [upgradeAsked, 'upgrade', 'callee', { type: 'call:upgraded', by: 'callee' }],
      [video, 'downgrade', 'callee', { type: 'call:downgraded', by: 'callee' }],
    ] as const)
      expect(said(call, { type }, by)).toEqual([{ kind: 'say', ...effect }]);
  });

  test('an answer and a rejection are told to both inboxes and to the room', () => {
    expect(said(ringing, { type: 'answer' }, 'callee')).toContainEqual({
      kind: 'say',
      type: 'call:answered',
      by: 'callee',
    });
    for (const [type, told] of [
      ['answer', ['call:answered']],
      ['reject', ['call:rejected', 'call:ended']],
    ] as const) {
      const effects = said(ringing, { type }, 'callee');
      for (const event of told) {
        expect(effects).toContainEqual({ kind: 'notify', to: 'caller', type: event });
        expect(effects).toContainEqual({ kind: 'notify', to: 'callee', type: event });
        expect(effects).toContainEqual(expect.objectContaining({ kind: 'say', type: event }));
      }
    }
  });

  test('video that is taken back while they connect is told once, and is audio from then on', () => {
    const asked = ring(ids, 'video', settings, T0).call;
    const both = person(asked, { type: 'answer', media: 'video' }, 'callee');
    const back = expectChange(byPerson(both, { type: 'downgrade' }, 'caller', T0, settings));
    expect(back.effects).toEqual([{ kind: 'say', type: 'call:downgraded', by: 'caller' }]);
    expect(back.call).toMatchObject({ phase: 'connecting', media: 'audio' });
    expect(person(back.call, { type: 'downgrade' }, 'caller')).toBe(back.call);
    expect(person(video, { type: 'downgrade' }, 'callee')).toMatchObject({ media: 'audio' });
  });
});

describe('the server’s commands', () => {
  test('sever ends every live phase, and the outcome names nobody', () => {
    expect(system(ringing, { type: 'sever' })).toMatchObject({ outcome: 'unavailable' });
    expect(system(connecting, { type: 'sever' })).toMatchObject({ outcome: 'unavailable' });
    expect(system(active, { type: 'sever' })).toMatchObject({ outcome: 'completed' });
    expect(system(ended, { type: 'sever' })).toBe(ended);
  });

  test('ends are told to both inboxes and to the room, once', () => {
    const over = expectChange(byPerson(active, { type: 'end' }, 'callee', T0, settings));
    expect(over.effects).toEqual([
      { kind: 'notify', to: 'caller', type: 'call:ended' },
      { kind: 'notify', to: 'callee', type: 'call:ended' },
      { kind: 'say', type: 'call:ended' },
    ]);
    expect(expectChange(byPerson(over.call, { type: 'end' }, 'caller', T0, settings)).effects).toEqual([]);
  });
});
