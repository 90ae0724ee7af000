import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Auth } from '../../../web/sdk/Auth.ts';
import { DuetApiError } from '../../../web/sdk/DuetApiError.ts';
import type { Http, RequestOptions } from '../../../web/sdk/Http.ts';
import { Seats } from '../../../web/sdk/Seats.ts';
import { localNow, ServerClock } from '../../../web/sdk/ServerClock.ts';

/** What the server does, one asking after the other; the last one again and again. */
let answers: (() => unknown)[];
let keys: (string | undefined)[];
const http = {
  baseUrl: 'http://duet.test',
  post: async (_path: string, _body?: unknown, { idempotencyKey }: RequestOptions = {}) => {
    keys.push(idempotencyKey);
    return await answers[Math.min(keys.length, answers.length) - 1]!();
  },
} as unknown as Http;
const clock = new ServerClock();
const seats = new Seats(http, {} as Auth, clock);
const seat = { serverNow: 0 };

const lost = () => {
  throw DuetApiError.network();
};
const refuse = (code: string) => () => {
  throw new DuetApiError(409, { code });
};

beforeEach(() => {
  vi.useFakeTimers();
  keys = [];
});
afterEach(() => {
  vi.useRealTimers();
});

/** What comes of it, over any time. */
async function outcome(asking: Promise<unknown>): Promise<unknown> {
  const settled = asking.catch((error) => error.code);
  await vi.advanceTimersByTimeAsync(60_000);
  return await settled;
}

test('a seat that is insisted on is asked for under one key until there is an answer', async () => {
  answers = [lost, () => new Promise(() => {}), refuse('CONFLICT'), () => ({ seat })];
  expect(await outcome(seats.insist('/calls/call/answer'))).toEqual({ seat });
  expect(keys).toHaveLength(4);
  expect(new Set(keys).size).toBe(1);
  expect(keys[0]).toMatch(/^[\w-]{36}$/);
});

test('but not after a refusal, and not for ever', async () => {
  for (const code of ['WRONG_PHASE', 'CONFLICT']) {
    keys = [];
    answers = [refuse(code)];
    expect(await outcome(seats.insist('/calls/call/answer'))).toBe(code);
    expect(keys).toHaveLength(1);
  }
  answers = [lost];
  keys = [];
  expect(await outcome(seats.insist('/calls/call/answer'))).toBe('NETWORK');
  expect(keys.length).toBeGreaterThan(4);
});

test('what may be asked again so late only is refused at once', async () => {
  answers = [
    () => {
      throw new DuetApiError(429, { code: 'TOO_MANY_REQUESTS' }, 3_000);
    },
  ];
  const asking = seats.insist('/calls/initiate/match').catch((error) => error.code);
  await vi.advanceTimersByTimeAsync(0);
  expect(keys).toHaveLength(1);
  expect(await Promise.race([asking, 'still asking'])).toBe('TOO_MANY_REQUESTS');

  keys = [];
  answers = [
    () => {
      throw new DuetApiError(429, { code: 'TOO_MANY_REQUESTS' }, 3);
    },
    () => ({ seat }),
  ];
  const later = seats.insist('/calls/initiate/match');
  await vi.advanceTimersByTimeAsync(2_900);
  expect(keys).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(200);
  expect(await later).toEqual({ seat });
});

test('an answer that was kept for a later asking does not set the clock back', async () => {
  answers = [() => ({ seat: { serverNow: localNow() } })];
  await seats.ask('/calls/call/join');
  const kept = { seat: { serverNow: localNow() } };
  keys = [];
  answers = [lost, () => new Promise(() => {}), () => kept];
  expect(await outcome(seats.insist('/calls/call/answer'))).toBe(kept);
  expect(clock.now() - localNow()).toBeCloseTo(0, 3);
});
