import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CallEncryption } from '../../../../web/sdk/e2ee/CallEncryption.ts';
import { DeviceKey } from '../../../../web/sdk/e2ee/DeviceKey.ts';
import { KnownDevices } from '../../../../web/sdk/e2ee/KnownDevices.ts';
import type { OwnDevice } from '../../../../web/sdk/e2ee/OwnDevice.ts';
import { MemoryVault } from '../../../../web/sdk/e2ee/Vault.ts';

class FakeWorker {
  readonly told: { type: string; send?: string }[] = [];
  constructor() {
    workers.push(this);
  }
  postMessage(message: { type: string }): void {
    this.told.push(message);
  }
  terminate(): void {}
}

let workers: FakeWorker[];
let vaults: Record<string, MemoryVault>;
const open: CallEncryption[] = [];

beforeEach(() => {
  workers = [];
  vaults = { ann: new MemoryVault(), bob: new MemoryVault() };
  vi.stubGlobal('Worker', FakeWorker);
});
afterEach(() => {
  for (const one of open.splice(0)) one.close();
  vi.unstubAllGlobals();
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
