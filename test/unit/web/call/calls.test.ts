import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Calls } from '../../../../web/sdk/Calls.ts';
import { DuetApiError } from '../../../../web/sdk/DuetApiError.ts';
import type { Http, RequestOptions } from '../../../../web/sdk/Http.ts';
import { Seats } from '../../../../web/sdk/Seats.ts';
import { ServerClock } from '../../../../web/sdk/ServerClock.ts';
import { fakeSeats } from '../FakeRoom.ts';

/** What the server does, one asking after the other. */
let answers: (() => unknown)[];
let asked: string[];
let keys: (string | undefined)[];
let calls: Calls;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('RTCPeerConnection', class {});
  asked = [];
  keys = [];
  const http = {
    baseUrl: 'http://duet.test',
    post: async (path: string, _body?: unknown, { idempotencyKey }: RequestOptions = {}) => {
      asked.push(path);
      keys.push(idempotencyKey);
      return await answers[asked.length - 1]!();
    },
  } as unknown as Http;
  const parts = { http, seats: new Seats(http, {} as never, new ServerClock()), auth: {} };
  calls = new Calls(parts as unknown as ConstructorParameters<typeof Calls>[0]);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test('what cannot be loaded before a call is left to the call', async () => {
  vi.doMock('mediasoup-client', () => {
    throw new TypeError('Failed to fetch dynamically imported module');
  });
  const parts = { device: { preload: async () => undefined } };
  calls = new Calls(parts as unknown as ConstructorParameters<typeof Calls>[0]);
  await expect(calls.preload()).resolves.toBe(undefined);
  vi.doUnmock('mediasoup-client');
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

test('a call whose beginning is not answered is asked for again as the same call', async () => {
  answers = [
    lost,
    () => {
      throw new DuetApiError(409, { code: 'CONFLICT' });
    },
    () => {
      throw new DuetApiError(409, { code: 'BUSY' });
    },
  ];
  const started = calls.start('match').catch((error) => error.code);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await started).toBe('BUSY');
  expect(asked).toEqual(Array(3).fill('/calls/initiate/match'));
  expect(new Set(keys).size).toBe(1);
  expect(keys[0]).toMatch(/^[\w-]{36}$/);
});

test('who calls at the same time as the other, and cannot answer, has neither a microphone on nor a seat', async () => {
  class FakeStream {
    getTracks = () => [];
  }
  vi.stubGlobal('MediaStream', FakeStream);
  const microphone = { readyState: 'live', enabled: true, addEventListener: () => undefined, stop: vi.fn() };
  const getUserMedia = async () => ({ getTracks: () => [microphone] });
  const mediaDevices = { getUserMedia, addEventListener: vi.fn(), removeEventListener: vi.fn() };
  vi.stubGlobal('navigator', { mediaDevices });
  const rang = { id: 'call', callerId: 'you', calleeId: 'me', phase: 'ringing', media: 'audio' };
  const refuse = () => {
    throw new DuetApiError(409, { code: 'WRONG_PHASE' });
  };
  const fake = fakeSeats((path) => (path.endsWith('/answer') ? refuse() : { call: rang }));
  const http = { get: async () => refuse() } as unknown as Http;
  const known = { hasAny: async () => false };
  const device = { isSupported: async () => false, known: () => known };
  const parts = { http, seats: fake.seats, auth: { userId: 'me' }, clock: new ServerClock(), device };
  calls = new Calls(parts as unknown as ConstructorParameters<typeof Calls>[0]);

  const started = calls.start('match').catch((error) => error.code);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await started).toBe('WRONG_PHASE');
  expect(microphone.stop).toHaveBeenCalled();
  expect(fake.rooms.map(({ hasLeft }) => hasLeft)).toEqual([true]);
  vi.unstubAllGlobals();
});

test('where there is no WebRTC nobody is called, and no call is answered', async () => {
  vi.stubGlobal('RTCPeerConnection', undefined);
  for (const begin of [() => calls.start('match'), () => calls.answer('call'), () => calls.join('call')])
    await expect(begin()).rejects.toThrow('WebRTC');
  expect(asked).toEqual([]);
});
