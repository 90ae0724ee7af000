import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Auth } from '../../../../web/sdk/Auth.ts';
import { DuetApiError } from '../../../../web/sdk/DuetApiError.ts';
import { Emitter } from '../../../../web/sdk/Emitter.ts';
import { CallEncryption } from '../../../../web/sdk/e2ee/CallEncryption.ts';
import { FrameCrypto } from '../../../../web/sdk/e2ee/FrameCrypto.ts';
import { OwnDevice } from '../../../../web/sdk/e2ee/OwnDevice.ts';
import type { Http } from '../../../../web/sdk/Http.ts';

class FakeAuth extends Emitter<Record<string, unknown>> {
  userId: string | undefined = 'me';
}

let tries: number;
/** What the server says to a key. */
let answer: () => void;
let auth: FakeAuth;
let device: OwnDevice;

beforeEach(() => {
  vi.useFakeTimers();
  tries = 0;
  answer = () => undefined;
  auth = new FakeAuth();
  const http: Pick<Http, 'request'> = {
    request: async <T>() => {
      tries += 1;
      return answer() as T;
    },
  };
  device = new OwnDevice(http as Http, auth as unknown as Auth);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const away = () => {
  throw new DuetApiError(503, { code: 'UNAVAILABLE' });
};

test('the key is registered however long the server is away', async () => {
  answer = away;
  const key = device.key();
  await vi.waitFor(() => expect(tries).toBe(1), 10_000);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(tries).toBeGreaterThan(10);
  answer = () => undefined;
  await vi.advanceTimersByTimeAsync(6_000);
  expect((await key).id).toMatch(/^[\w-]{43}$/);
});

test('but not for somebody who has signed out, and not where it is refused', async () => {
  answer = away;
  const key = device.key();
  key.catch(() => undefined);
  await vi.waitFor(() => expect(tries).toBe(1), 10_000);
  auth.userId = undefined;
  await vi.advanceTimersByTimeAsync(6_000);
  await expect(key).rejects.toMatchObject({ code: 'UNAVAILABLE' });

  auth.userId = 'me';
  answer = () => {
    throw new DuetApiError(400, { code: 'VALIDATION_FAILED' });
  };
  await expect(device.key()).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
});

test('a call says that its own key is not registered rather than that somebody listens, and goes on when it is', async () => {
  vi.spyOn(FrameCrypto, 'isSupported').mockResolvedValue(true);
  vi.stubGlobal(
    'Worker',
    class {
      onmessage: (event: object) => void = () => undefined;
      constructor() {
        queueMicrotask(() => this.onmessage({ data: { type: 'ready' } }));
      }
      postMessage(): void {}
      terminate(): void {}
    },
  );
  answer = away;
  const encryption = new CallEncryption({
    callId: 'call',
    userId: 'me',
    peerId: 'you',
    isCaller: true,
    device,
    ask: async () => ({}),
  });
  encryption.begin();
  await vi.waitFor(() => expect(tries).toBe(1), 10_000);
  encryption.noteRoom({ produces: true, isAble: true, encrypts: false }, true);
  await vi.advanceTimersByTimeAsync(9_000);
  expect(encryption.snapshot).toMatchObject({ reason: 'agreeing', sends: 'held' });
  await vi.advanceTimersByTimeAsync(2_000);
  expect(encryption.snapshot).toMatchObject({ reason: 'unregistered', sends: 'held' });
  answer = () => undefined;
  await vi.advanceTimersByTimeAsync(6_000);
  expect(encryption.snapshot).toMatchObject({ reason: 'agreeing' });
  // Now it is the other who keeps silent.
  await vi.advanceTimersByTimeAsync(10_000);
  expect(encryption.snapshot).toMatchObject({ reason: 'stripped' });
  encryption.close();
});
