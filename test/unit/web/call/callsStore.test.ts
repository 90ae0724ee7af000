import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  abandon,
  answer,
  calls,
  closeCalls,
  openCalls,
  startCall,
} from '../../../../web/page/store/calls.ts';
import { toasts } from '../../../../web/page/store/toasts.ts';
import { DuetApiError } from '../../../../web/sdk/DuetApiError.ts';
import { Emitter } from '../../../../web/sdk/Emitter.ts';
import { MemoryStorage } from '../../../../web/sdk/TokenStorage.ts';
import type { Call, Card } from '../../../../web/sdk/types.ts';

const { duet } = vi.hoisted(() => ({ duet: {} as Record<string, unknown> }));
vi.mock('../../../../web/page/duet.ts', () => ({ duet, exposeCall: () => undefined }));

class FakeSession extends Emitter<{ ended: object }> {
  link = 'connecting';
  ended: object | undefined;
  readonly done: string[] = [];
  readonly id: string;
  readonly snapshot: { id: string; matchId: string };
  readonly peerId = 'peer';
  constructor(id: string) {
    super();
    this.id = id;
    this.snapshot = { id, matchId: `match of ${id}` };
  }
  answer = async () => void this.done.push('answer');
  end = async () => void this.done.push('end');
  leave = () => void this.done.push('leave');
  /** It is over. */
  finish(elsewhere = false): void {
    this.link = 'closed';
    this.ended = { outcome: 'completed', durationSec: 12, elsewhere };
    this.emit('ended', this.ended);
    this.clear();
  }
}

const sam = { id: 'sam', displayName: 'Sam', photos: [] as Card['photos'] } as Card;
const kofi = { id: 'kofi', displayName: 'Kofi', photos: [] as Card['photos'] } as Card;
let inbox: Emitter<Record<string, unknown>>;
let storage: MemoryStorage;

beforeEach(() => {
  vi.useFakeTimers();
  storage = new MemoryStorage();
  vi.stubGlobal('sessionStorage', storage);
  vi.stubGlobal('document', { visibilityState: 'visible' });
  inbox = new Emitter();
  toasts.set({ items: [] });
  Object.assign(duet, {
    inbox,
    calls: { preload: async () => undefined },
    people: { card: async () => sam },
    clock: { now: () => Date.now() },
  });
});

afterEach(() => {
  closeCalls();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A promise that is settled by hand. */
function later<T>() {
  let give: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => {
    give = resolve;
  });
  return { promise, give };
}

const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

function ring(id = 'ringing', from = sam): void {
  const call = { id, phase: 'ringing', ringUntil: new Date(Date.now() + 30_000).toISOString() };
  inbox.emit('call:incoming', { call: call as Call, from });
}

test('who hangs up on one and dials another is in the call with the other alone', async () => {
  const [withSam, withKofi] = [new FakeSession('with Sam'), new FakeSession('with Kofi')];
  const slow = later<FakeSession>();
  const dialled: string[] = [];
  duet.startCall = (matchId: string) => {
    dialled.push(matchId);
    return matchId === 'sam' ? slow.promise : Promise.resolve(withKofi);
  };
  void startCall('sam', sam);
  await pass();
  abandon();
  void startCall('kofi', kofi);
  await pass(100);
  // The server would call it busy.
  expect(dialled).toEqual(['sam']);
  slow.give(withSam);
  await pass();
  expect(withSam.done).toEqual(['end']);
  expect(calls.value.current).toMatchObject({ session: withKofi, peer: { id: 'kofi' } });
});

test('an answer takes the seat that was taken early, also where that is still on its way in', async () => {
  const early = new FakeSession('ringing');
  duet.joinCall = async () => early;
  duet.answerCall = vi.fn();
  openCalls();
  ring();
  await pass();
  await answer();
  expect(early.done).toEqual(['answer']);
  expect(duet.answerCall).not.toHaveBeenCalled();
  expect(calls.value.current?.session).toBe(early);
});

test('an early seat that comes after the answer is given up before it is taken', async () => {
  const slow = later<FakeSession>();
  const answered = new FakeSession('ringing');
  let signal: AbortSignal | undefined;
  duet.joinCall = (_: string, options: { signal: AbortSignal }) => {
    signal = options.signal;
    return slow.promise;
  };
  duet.answerCall = async () => answered;
  openCalls();
  ring();
  await pass();
  await answer();
  expect(signal?.aborted).toBe(true);
  const late = new FakeSession('ringing');
  slow.give(late);
  await pass();
  expect(late.done).toEqual(['leave']);
  expect(calls.value.current?.session).toBe(answered);
});

test('a reload finds back into its call, however long the server is away; not into one that is over', async () => {
  storage.setItem('duet.call', 'mine');
  const session = new FakeSession('mine');
  let tries = 0;
  duet.joinCall = async () => {
    tries += 1;
    if (tries < 4) throw DuetApiError.network();
    return session;
  };
  openCalls();
  await pass(10_000);
  expect(calls.value.current?.session).toBe(session);

  closeCalls();
  storage.setItem('duet.call', 'mine');
  duet.joinCall = async () => {
    throw new DuetApiError(409, { code: 'CALL_NOT_ACTIVE' });
  };
  openCalls();
  await pass(10_000);
  expect(storage.getItem('duet.call')).toBe(null);
});

test('a call that could not be answered rings again, unless it was refused or is over', async () => {
  duet.joinCall = async () => {
    throw DuetApiError.network();
  };
  openCalls();
  for (const [error, rings] of [
    [DuetApiError.network(), true],
    [new DuetApiError(409, { code: 'WRONG_PHASE' }), false],
  ] as const) {
    duet.answerCall = async () => {
      throw error;
    };
    ring();
    await answer();
    expect(calls.value.current).toBe(null);
    expect(calls.value.incoming?.call.id).toBe(rings ? 'ringing' : undefined);
  }

  const slow = later<never>();
  duet.answerCall = () => slow.promise.then(() => Promise.reject(DuetApiError.network()));
  ring();
  void answer();
  await pass();
  inbox.emit('call:ended', { call: { id: 'ringing' } });
  slow.give(undefined as never);
  await pass();
  expect(calls.value).toMatchObject({ current: null, incoming: null });
});

test('who is called by the one whom they could not reach hears it ring', async () => {
  duet.joinCall = async () => {
    throw DuetApiError.network();
  };
  const slow = later<never>();
  duet.startCall = () => slow.promise.then(() => Promise.reject(DuetApiError.network()));
  openCalls();
  void startCall('sam', sam);
  await pass();
  ring();
  expect(calls.value.incoming).toBe(null);
  slow.give(undefined as never);
  await pass();
  expect(calls.value).toMatchObject({ current: null, incoming: { call: { id: 'ringing' } } });
});

test('who answers when another call rings by then answers that one', async () => {
  const early = new FakeSession('ringing');
  const other = new FakeSession('other');
  duet.joinCall = async (callId: string) => (callId === 'ringing' ? early : other);
  openCalls();
  ring();
  await pass();
  // That the first one has ended was lost with other events.
  ring('other', kofi);
  await pass();
  await answer();
  expect(early.done).toEqual(['leave']);
  expect(other.done).toEqual(['answer']);
  expect(calls.value.current).toMatchObject({ session: other, peer: { id: 'kofi' } });
});

test('who is signed out in a call is not told that it goes on somewhere else', async () => {
  const session = new FakeSession('mine');
  session.leave = () => void session.finish(true);
  duet.startCall = async () => session;
  await startCall('sam', sam);
  closeCalls();
  expect(session.ended).toBeDefined();
  expect(calls.value).toEqual({ current: null, ended: null, incoming: null });
  expect(toasts.value.items).toEqual([]);
});

test('a call that ends while its page finds back to it is over there', async () => {
  storage.setItem('duet.call', 'mine');
  const session = new FakeSession('mine');
  const card = later<Card>();
  duet.joinCall = async () => session;
  duet.people = { card: () => card.promise };
  openCalls();
  await pass();
  session.finish();
  card.give(sam);
  await pass();
  expect(calls.value).toMatchObject({ current: null, ended: { outcome: 'completed', durationSec: 12 } });
  expect(storage.getItem('duet.call')).toBe(null);
});
