import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { pause } from '../../../../web/sdk/backoff.ts';
import { CallSession } from '../../../../web/sdk/call/CallSession.ts';
import type { LocalTracks } from '../../../../web/sdk/call/LocalTracks.ts';
import { DuetApiError } from '../../../../web/sdk/DuetApiError.ts';
import { Emitter } from '../../../../web/sdk/Emitter.ts';
import type { OwnDevice } from '../../../../web/sdk/e2ee/OwnDevice.ts';
import type { Http } from '../../../../web/sdk/Http.ts';
import type { Seats } from '../../../../web/sdk/Seats.ts';
import { ServerClock } from '../../../../web/sdk/ServerClock.ts';
import type { Call, Seat } from '../../../../web/sdk/types.ts';
import { type FakeRoom, fakeSeats } from '../FakeRoom.ts';

/** What each set of transports was given to reach the server by. */
const { iceServersGiven } = vi.hoisted(() => ({ iceServersGiven: [] as Promise<RTCIceServer[]>[] }));
vi.mock('../../../../web/sdk/call/MediaLink.ts', async (original) => {
  const { MediaLink } = await original<typeof import('../../../../web/sdk/call/MediaLink.ts')>();
  class NotedLink extends MediaLink {
    constructor(...parts: ConstructorParameters<typeof MediaLink>) {
      super(...parts);
      iceServersGiven.push(parts[1]);
    }
  }
  return { MediaLink: NotedLink };
});

class FakeStream {
  getTracks(): never[] {
    return [];
  }
}

/** Microphone and camera: whether they are still held. */
class FakeTracks extends Emitter<Record<string, never>> {
  isOpen = true;
  /** What was turned on. */
  readonly opened: string[] = [];
  track = () => null;
  open = async (kind: string) => {
    this.opened.push(kind);
    return null;
  };
  silence = () => null;
  stop(): void {}
  close(): void {
    this.isOpen = false;
  }
}

const never = () => new Promise<never>(() => {});
const device = {
  isSupported: async () => false,
  known: () => ({ hasAny: async () => false, differed: async () => [] }),
};
let call: Call;
let rooms: FakeRoom[];
let tracks: FakeTracks;
/** What HTTP answers, by method and path; every request is noted. */
let answers: Record<string, () => unknown>;
let asked: string[];
/** Session ids of the seats that were taken. */
let seatsTaken: string[];
let seatsAsked: { path: string; body: unknown }[];
/** Why nobody is let in. */
let refusal: DuetApiError | undefined;
/** So many seats cannot be taken. */
let seatsLost: number;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('MediaStream', FakeStream);
  const now = performance.timeOrigin + performance.now();
  const iso = (ms: number) => new Date(ms).toISOString();
  call = {
    id: 'call',
    matchId: 'match',
    callerId: 'me',
    calleeId: 'you',
    phase: 'active',
    media: 'audio',
    mediaRequested: 'audio',
    createdAt: iso(now),
    ringUntil: iso(now + 30_000),
    startedAt: iso(now - 65_000),
    endsAt: iso(now + 235_000),
    extensions: 0,
    maxExtensions: 3,
    pending: null,
    outcome: null,
    durationSec: 0,
  };
  answers = {};
  asked = [];
  seatsAsked = [];
  seatsTaken = [];
  refusal = undefined;
  seatsLost = 0;
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** In a room of the call. */
async function sit(): Promise<CallSession> {
  const session = begin();
  await vi.advanceTimersByTimeAsync(0);
  expect(session.link).toBe('connected');
  return session;
}

/** On its way into a room of the call, which takes as long as it is given. */
function begin(joinMs?: number): CallSession {
  const http = async (method: string, path: string) => {
    asked.push(`${method} ${path}`);
    return await (answers[`${method} ${path}`]?.() ?? never());
  };
  const fake = fakeSeats((path, body) => {
    seatsAsked.push({ path, body });
    if (refusal) throw refusal;
    return path.endsWith('/join') ? { call } : http('POST', path);
  });
  rooms = fake.rooms;
  tracks = new FakeTracks();
  const session = new CallSession({
    call,
    seat: {} as Seat,
    userId: 'me',
    http: {
      get: (path: string) => http('GET', path),
      post: (path: string) => http('POST', path),
    } as unknown as Http,
    seats: noting(joinMs === undefined ? fake.seats : late(fake.seats, joinMs)),
    clock: new ServerClock(),
    local: tracks as unknown as LocalTracks,
    device: device as unknown as OwnDevice,
  });
  return session;
}

/** A seat is named after what it was asked for with. */
function noting(seats: Seats): Seats {
  const named = (ask: Seats['insist']): Seats['insist'] => {
    return async <T extends { seat: Seat }>(path: string, body?: unknown) => {
      const answer = await ask<T>(path, body);
      return { ...answer, seat: { sessionId: path } };
    };
  };
  const take: Seats['take'] = async (seat) => {
    if (seatsLost-- > 0) throw DuetApiError.network();
    seatsTaken.push(seat.sessionId);
    return seats.take(seat);
  };
  return { ask: named(seats.ask), insist: named(seats.insist), take } as Seats;
}

function late(seats: Seats, joinMs: number): Seats {
  const take: Seats['take'] = async (seat) => {
    await pause(joinMs);
    return seats.take(seat);
  };
  return { ...seats, take } as Seats;
}

const noteEnd = (session: CallSession) => {
  const ended: object[] = [];
  session.on('ended', (how) => ended.push(how));
  return ended;
};

test('media waits for the TURN servers, but not for an answer that does not come', async () => {
  const servers = [{ urls: 'turn:turn.duet.test' }];
  answers['GET /calls/ice-servers'] = async () => {
    await pause(1_000);
    return { iceServers: servers };
  };
  await sit();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await iceServersGiven.at(-1)).toEqual(servers);

  answers = {};
  await sit();
  await vi.advanceTimersByTimeAsync(3_000);
  expect(await Promise.race([iceServersGiven.at(-1), 'still asking'])).toEqual([]);
});

test('hanging up turns the microphone off at once, and is over soon, whatever the server does', async () => {
  const session = await sit();
  const ended = noteEnd(session);
  const done = session.end();
  expect(tracks.isOpen).toBe(false);
  await vi.advanceTimersByTimeAsync(2_100);
  await done;
  expect(ended).toEqual([{ outcome: null, durationSec: expect.closeTo(67, -1), elsewhere: false }]);
  expect(rooms[0]!.hasLeft).toBe(true);
});

test('the server is told of hanging up until it answers', async () => {
  const session = await sit();
  let isAway = true;
  answers['POST /calls/call/end'] = () => {
    if (isAway) throw DuetApiError.network();
    return { call: { ...call, phase: 'ended', outcome: 'completed', durationSec: 66 } };
  };
  void session.end();
  await vi.advanceTimersByTimeAsync(30_000);
  const tries = () => asked.filter((request) => request === 'POST /calls/call/end').length;
  expect(tries()).toBeGreaterThan(4);
  isAway = false;
  await vi.advanceTimersByTimeAsync(6_000);
  const last = tries();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(tries()).toBe(last);
});

test('nobody is told for ever', async () => {
  const session = await sit();
  answers['POST /calls/call/end'] = () => {
    throw DuetApiError.network();
  };
  void session.end();
  await vi.advanceTimersByTimeAsync(310_000);
  const before = asked.length;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked.length).toBe(before);
});

test('what the server says of the end is what is told, where it answers', async () => {
  const session = await sit();
  const ended = noteEnd(session);
  const over = { ...call, phase: 'ended', outcome: 'completed', durationSec: 66 };
  rooms[0]!.answers['call:end'] = () => ({ call: over });
  await session.end();
  expect(ended).toEqual([{ outcome: 'completed', durationSec: 66, elsewhere: false }]);
  expect(session.ended).toEqual(ended[0]);
});

test('it goes on elsewhere only where another device took the seat', async () => {
  answers['GET /calls/call'] = () => ({ call });
  for (const [code, elsewhere] of [
    [4101, true],
    [4103, false],
    [4102, false],
  ] as const) {
    const session = await sit();
    const ended = noteEnd(session);
    rooms[0]!.drop(code);
    await vi.advanceTimersByTimeAsync(0);
    expect(ended).toMatchObject([{ elsewhere }]);
  }
});

test('a room that is gone turns the microphone off at once, whether or not the server says how it ended', async () => {
  const session = await sit();
  const ended = noteEnd(session);
  rooms[0]!.drop(4101);
  expect(tracks.isOpen).toBe(false);
  await vi.advanceTimersByTimeAsync(2_100);
  expect(ended).toMatchObject([{ outcome: null, elsewhere: true }]);
});

test('an answer that is older than what the room has said since does not bring the old call back', async () => {
  const session = await sit();
  rooms[0]!.drop(1006);
  let answer: (answer: object) => void = () => undefined;
  answers['POST /calls/call/extend'] = () =>
    new Promise<object>((resolve) => {
      answer = resolve;
    });
  void session.extend();
  await vi.advanceTimersByTimeAsync(300);
  expect(session.link).toBe('connected');
  const endsAt = Date.parse(call.endsAt!) + 300_000;
  rooms[1]!.patch({
    ...call,
    startedAt: Date.parse(call.startedAt!),
    endsAt,
    extensions: 1,
    pendingKind: '',
  });
  expect(session.snapshot).toMatchObject({ extensions: 1, endsAtMs: endsAt });
  answer({ call: { ...call, pending: { kind: 'extend', by: 'me', until: call.endsAt } } });
  await vi.advanceTimersByTimeAsync(0);
  expect(session.snapshot).toMatchObject({ extensions: 1, endsAtMs: endsAt, pending: null });
});

/** The other calls. */
const rung = () => {
  call = { ...call, callerId: 'you', calleeId: 'me', phase: 'ringing', startedAt: null, endsAt: null };
};
const POST_ANSWER = 'POST /calls/call/answer';

test('an answer waits for the room that one is about to sit down in', async () => {
  rung();
  const session = begin(500);
  void session.answer();
  await vi.advanceTimersByTimeAsync(500);
  expect(rooms[0]!.sent).toContainEqual({ type: 'call:answer', payload: { media: 'audio' } });
  expect(asked).not.toContain(POST_ANSWER);
});

test('an answer whose socket dies is given over HTTP, where it may have been heard already', async () => {
  rung();
  const connecting = { ...call, phase: 'connecting' as const };
  for (const heard of [false, true]) {
    const session = await sit();
    rooms[0]!.answers['call:answer'] = () => {
      throw new Error('connection closed before a response was received.');
    };
    answers[POST_ANSWER] = () => {
      if (heard) throw new DuetApiError(409, { code: 'WRONG_PHASE' });
      return { call: connecting };
    };
    answers['GET /calls/call'] = () => ({ call: connecting });
    await session.answer();
    expect(session.snapshot.phase).toBe('connecting');
    session.leave();
  }
});

test('nothing is answered in the place of another device that has the seat', async () => {
  rung();
  const session = await sit();
  rooms[0]!.answers['call:answer'] = () => {
    rooms[0]!.drop(4101);
    throw new Error('connection closed before a response was received.');
  };
  answers[POST_ANSWER] = () => ({ call: { ...call, phase: 'connecting' } });
  await expect(session.answer()).rejects.toThrow(DuetApiError);
  expect(asked).not.toContain(POST_ANSWER);
});

/** What the room's state says of the call. */
const stateOf = (given: Partial<Call>) => ({
  ...call,
  ringUntil: Date.parse(call.ringUntil!),
  startedAt: 0,
  endsAt: 0,
  pendingKind: '',
  ...given,
});

test('a device that only rings turns nothing on when another one of the person answers', async () => {
  rung();
  const session = await sit();
  const ended = noteEnd(session);
  rooms[0]!.patch(stateOf({ phase: 'connecting', media: 'video' }));
  await vi.advanceTimersByTimeAsync(0);
  expect(ended).toMatchObject([{ elsewhere: true }]);
  expect(tracks.opened).toEqual([]);
});

test('nor when it comes back from a lost socket: it asks for a seat that takes the call from nobody', async () => {
  rung();
  const session = await sit();
  const ended = noteEnd(session);
  rooms[0]!.drop(1006);
  call = { ...call, phase: 'connecting' };
  await vi.advanceTimersByTimeAsync(300);
  expect(seatsAsked).toEqual([{ path: '/calls/call/join', body: { returns: true } }]);
  expect(ended).toMatchObject([{ elsewhere: true }]);
  expect(tracks.opened).toEqual([]);
});

test('nor when its own answer came too late', async () => {
  rung();
  const session = await sit();
  const ended = noteEnd(session);
  rooms[0]!.answers['call:answer'] = () => {
    rooms[0]!.patch(stateOf({ phase: 'connecting', media: 'video' }));
    throw Object.assign(new Error('refused'), { reason: { code: 'WRONG_PHASE' } });
  };
  await expect(session.answer()).rejects.toMatchObject({ code: 'WRONG_PHASE' });
  expect(ended).toMatchObject([{ elsewhere: true }]);
  expect(tracks.isOpen).toBe(false);
});

test('who is not let in again because another device talks is told that it goes on there', async () => {
  answers['GET /calls/call'] = () => ({ call });
  const session = await sit();
  const ended = noteEnd(session);
  refusal = new DuetApiError(409, { code: 'CONFLICT' });
  rooms[0]!.drop(1006);
  await vi.advanceTimersByTimeAsync(300);
  expect(ended).toMatchObject([{ elsewhere: true }]);
});

test('answering twice is answering once', async () => {
  rung();
  const session = await sit();
  const ended = noteEnd(session);
  rooms[0]!.answers['call:answer'] = () => ({ call: { ...call, phase: 'connecting' } });
  await session.answer();
  rooms[0]!.answers['call:answer'] = () => {
    throw Object.assign(new Error('refused'), { reason: { code: 'WRONG_PHASE' } });
  };
  await expect(session.answer()).rejects.toMatchObject({ code: 'WRONG_PHASE' });
  expect(ended).toEqual([]);
});

test('a room that does not answer costs neither the answer nor the declining more than a moment', async () => {
  rung();
  answers[POST_ANSWER] = () => ({ call: { ...call, phase: 'connecting' } });
  answers['POST /calls/call/reject'] = () => ({ call: { ...call, phase: 'ended', outcome: 'rejected' } });
  for (const [command, phase] of [
    ['answer', 'connecting'],
    ['reject', 'ended'],
  ] as const) {
    const session = await sit();
    void session[command]();
    await vi.advanceTimersByTimeAsync(1_300);
    expect(session.snapshot.phase).toBe(phase);
    session.leave();
  }
});

test('declining is told until the server answers', async () => {
  rung();
  const session = await sit();
  rooms[0]!.drop(1006);
  let tries = 0;
  answers['POST /calls/call/reject'] = () => {
    tries += 1;
    if (tries < 4) throw DuetApiError.network();
    return { call: { ...call, phase: 'ended', outcome: 'rejected' } };
  };
  void session.reject();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(session.snapshot.phase).toBe('ended');
});

test('who answers over HTTP sits down by the seat that the answer gave', async () => {
  rung();
  answers[POST_ANSWER] = () => ({ call: { ...call, phase: 'connecting' } });
  const session = begin(5_000);
  void session.answer();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(seatsTaken).toEqual([undefined, '/calls/call/answer']);
  expect(session.link).toBe('connected');
  expect(rooms.map(({ hasLeft }) => hasLeft)).toEqual([true, false]);
  session.leave();
});

test('an answer waits for the room that one is on the way back to', async () => {
  rung();
  const session = await sit();
  rooms[0]!.drop(1006);
  void session.answer();
  await vi.advanceTimersByTimeAsync(300);
  expect(rooms[1]!.sent).toContainEqual({ type: 'call:answer', payload: { media: 'audio' } });
  expect(asked).not.toContain(POST_ANSWER);
  session.leave();
});

test('a device that only rings and sits down while the answer is on its way over HTTP is in nobody’s way', async () => {
  rung();
  const session = await sit();
  const ended = noteEnd(session);
  let give: (answer: object) => void = () => undefined;
  answers[POST_ANSWER] = () =>
    new Promise<object>((resolve) => {
      give = resolve;
    });
  const answered = session.answer();
  await vi.advanceTimersByTimeAsync(1_300);
  rooms[0]!.drop(4101);
  give({ call: { ...call, phase: 'connecting' } });
  await answered;
  await vi.advanceTimersByTimeAsync(0);
  expect(ended).toEqual([]);
  expect(session.link).toBe('connected');
  expect(seatsTaken.at(-1)).toBe('/calls/call/answer');
  session.leave();
});

test('until somebody who wants to talk here has sat down once, the call is taken from another device', async () => {
  seatsLost = 2;
  const session = begin();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(session.link).toBe('connected');
  const wanted = { path: '/calls/call/join', body: { returns: false } };
  expect(seatsAsked).toEqual([wanted, wanted]);
  rooms[0]!.drop(1006);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(seatsAsked).toEqual([wanted, wanted, { path: '/calls/call/join', body: { returns: true } }]);
});

test('who only waits to answer takes it from nobody, however long it takes to sit down', async () => {
  rung();
  seatsLost = 1;
  begin();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(seatsAsked).toEqual([{ path: '/calls/call/join', body: { returns: true } }]);
});
