import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Calls } from '../../../../web/sdk/Calls.ts';
import { DuetApiError } from '../../../../web/sdk/DuetApiError.ts';
import type { Http } from '../../../../web/sdk/Http.ts';
import { Seats } from '../../../../web/sdk/Seats.ts';
import { ServerClock } from '../../../../web/sdk/ServerClock.ts';

/** What the server does, one asking after the other. */
let answers: (() => unknown)[];
let asked: string[];
let calls: Calls;

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  const http = {
    baseUrl: 'http://duet.test',
    post: async (path: string) => {
      asked.push(path);
      return await answers[asked.length - 1]!();
    },
  } as unknown as Http;
  const parts = { http, seats: new Seats(http, {} as never, new ServerClock()), auth: {} };
  calls = new Calls(parts as unknown as ConstructorParameters<typeof Calls>[0]);
});
afterEach(() => {
  vi.useRealTimers();
});

const lost = () => {
  throw DuetApiError.network();
};

test('one lost packet costs neither an answer nor a declining', async () => {
  answers = [lost, lost, () => undefined];
  const rejected = calls.reject('call');
  await vi.advanceTimersByTimeAsync(5_000);
  await rejected;
  expect(asked).toHaveLength(3);

  asked = [];
  answers = [
    lost,
    () => {
      throw new DuetApiError(409, { code: 'CALL_NOT_ACTIVE' });
    },
  ];
  const answered = calls.answer('call').catch((error) => error.code);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await answered).toBe('CALL_NOT_ACTIVE');
  expect(asked).toEqual(['/calls/call/answer', '/calls/call/answer']);
});
