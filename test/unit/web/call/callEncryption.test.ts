import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CallEncryption } from '../../../../web/sdk/e2ee/CallEncryption.ts';
import { DeviceKey } from '../../../../web/sdk/e2ee/DeviceKey.ts';
import { KnownDevices } from '../../../../web/sdk/e2ee/KnownDevices.ts';
import type { OwnDevice } from '../../../../web/sdk/e2ee/OwnDevice.ts';
import { MemoryVault } from '../../../../web/sdk/e2ee/Vault.ts';

class FakeWorker {
  readonly told: { type: string; send?: string }[] = [];
  onmessage: (event: object) => void = () => undefined;
  onerror: () => void = () => undefined;
  isTerminated = false;
  constructor() {
    workers.push(this);
    if (loads) queueMicrotask(() => this.ready());
  }
  ready(): void {
    this.onmessage({ data: { type: 'ready' } });
  }
  postMessage(message: { type: string }): void {
    this.told.push(message);
  }
  terminate(): void {
    this.isTerminated = true;
  }
}

let workers: FakeWorker[];
/** Whether the worker's file comes. */
let loads: boolean;
let vaults: Record<string, MemoryVault>;
const open: CallEncryption[] = [];

beforeEach(() => {
  workers = [];
  loads = true;
  vaults = { ann: new MemoryVault(), bob: new MemoryVault() };
  vi.stubGlobal('Worker', FakeWorker);
});
afterEach(() => {
  for (const one of open.splice(0)) one.close();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A person's device, the same over all its calls. */
function deviceOf(name: string): OwnDevice {
  const vault = vaults[name]!;
  const known = new KnownDevices(vault, name);
  const key = DeviceKey.of(name, vault);
  const device: Pick<OwnDevice, 'isSupported' | 'key' | 'known'> = {
    isSupported: async () => true,
    key: () => key,
    known: () => known,
  };
  return device as OwnDevice;
}

/** Both ends of a call, that hear each other. */
function call(callId: string): [CallEncryption, CallEncryption] {
  const ends = [
    ['ann', 'bob'],
    ['bob', 'ann'],
  ].map(
    ([userId, peerId], nth) =>
      new CallEncryption({
        callId,
        userId: userId!,
        peerId: peerId!,
        isCaller: nth === 0,
        device: deviceOf(userId!),
        ask: async (type, payload) => {
          if (type === 'call:e2ee_key') ends[1 - nth]!.hear({ ...payload, userId });
        },
      }),
  );
  open.push(...ends);
  for (const end of ends) end.begin();
  return ends as [CallEncryption, CallEncryption];
}

test('to a device whose words were not the same nothing is sent in the next call either, until they are', async () => {
  const [first] = call('first');
  await vi.waitFor(() => expect(first.snapshot.state).toBe('on'));
  await first.confirmWords(false);
  expect(first.snapshot).toMatchObject({ reason: 'mismatch', sends: 'held', peerDevice: 'differed' });

  const [again] = call('second');
  const sends: string[] = [];
  again.on('change', (snapshot) => sends.push(snapshot.sends));
  await vi.waitFor(() => expect(again.snapshot.words).toHaveLength(4));
  expect(again.snapshot).toMatchObject({ reason: 'mismatch', sends: 'held', peerDevice: 'differed' });
  expect(new Set(sends)).toEqual(new Set(['held']));
  await again.confirmWords(true);
  expect(again.snapshot).toMatchObject({ state: 'verified', sends: 'encrypted' });

  const [last] = call('third');
  await vi.waitFor(() => expect(last.snapshot.state).toBe('verified'));
});

describe('where the worker does not come up', () => {
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
  beforeEach(() => {
    loads = false;
    vi.useFakeTimers();
  });

  test('nothing is sent while it is waited for, and then it is said that this browser cannot', async () => {
    for (const fail of [
      () => pass(5_000),
      async () => {
        await pass(0);
        for (const worker of workers) worker.onerror();
        await pass(0);
      },
    ]) {
      workers = [];
      const [one] = call('call');
      let isDecided = false;
      void one.frames.then(() => {
        isDecided = true;
      });
      one.noteRoom({ produces: true, isAble: true }, true);
      await pass(100);
      expect(one.snapshot).toMatchObject({ reason: 'agreeing', sends: 'held' });
      // Until then there is no transport for anything to be sent by.
      expect(isDecided).toBe(false);
      await fail();
      expect(await one.frames).toBe(undefined);
      expect(one.snapshot).toMatchObject({ state: 'off', reason: 'browser', sends: 'clear' });
      expect(workers.map(({ isTerminated }) => isTerminated)).toEqual([true, true]);
    }
  });

  test('or may not be made, likewise', async () => {
    vi.stubGlobal(
      'Worker',
      class {
        constructor() {
          throw new Error('SecurityError');
        }
      },
    );
    const [one] = call('call');
    expect(await one.frames).toBe(undefined);
    expect(one.snapshot).toMatchObject({ reason: 'browser' });
  });

  test('or comes late, it learns what was decided meanwhile', async () => {
    const [one] = call('call');
    one.allowUnencrypted();
    await pass(1_000);
    for (const worker of workers) worker.ready();
    await pass(0);
    expect(workers[0]!.told).toContainEqual({ type: 'modes', send: 'clear', receive: 'clear' });
  });
});
