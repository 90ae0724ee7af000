import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DuetApiError } from '../../../../web/sdk/DuetApiError.ts';
import { CallEncryption } from '../../../../web/sdk/e2ee/CallEncryption.ts';
import { DeviceKey } from '../../../../web/sdk/e2ee/DeviceKey.ts';
import { KeyAgreement } from '../../../../web/sdk/e2ee/KeyAgreement.ts';
import { KnownDevices } from '../../../../web/sdk/e2ee/KnownDevices.ts';
import type { KeyMessage } from '../../../../web/sdk/e2ee/keyMessages.ts';
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

/** One end of a call; what it says goes to `tell`. */
function endOf(
  userId: string,
  peerId: string,
  isCaller: boolean,
  tell: (message: Record<string, unknown>) => void,
  callId = 'call',
): CallEncryption {
  const end = new CallEncryption({
    callId,
    userId,
    peerId,
    isCaller,
    device: deviceOf(userId),
    ask: async (type, payload) => {
      if (type === 'call:e2ee_key') tell({ ...payload, userId });
    },
  });
  open.push(end);
  return end;
}

/** Both ends of a call, that hear each other. */
function call(callId: string): [CallEncryption, CallEncryption] {
  const ann: CallEncryption = endOf('ann', 'bob', true, (message) => bob.hear(message), callId);
  const bob: CallEncryption = endOf('bob', 'ann', false, (message) => ann.hear(message), callId);
  for (const end of [ann, bob]) end.begin();
  return [ann, bob];
}

test('to a device whose words were not the same nothing is sent in the next call either, until they are', async () => {
  const [first] = call('first');
  await vi.waitFor(() => expect(first.snapshot.state).toBe('on'), 10_000);
  await first.confirmWords(false, first.snapshot.words);
  expect(first.snapshot).toMatchObject({ reason: 'mismatch', sends: 'held', peerDevice: 'differed' });

  const [again] = call('second');
  const sends: string[] = [];
  again.on('change', (snapshot) => sends.push(snapshot.sends));
  await vi.waitFor(() => expect(again.snapshot.words).toHaveLength(4), 10_000);
  expect(again.snapshot).toMatchObject({ reason: 'mismatch', sends: 'held', peerDevice: 'differed' });
  expect(new Set(sends)).toEqual(new Set(['held']));
  await again.confirmWords(true, again.snapshot.words);
  expect(again.snapshot).toMatchObject({ state: 'verified', sends: 'encrypted' });

  const [last] = call('third');
  await vi.waitFor(() => expect(last.snapshot.state).toBe('verified'), 10_000);
});

describe('a server that lets two people compare their words and then takes the place of one', () => {
  /** What the server says to Ann in the place of Bob. */
  let inBetween: KeyAgreement;
  let holdsBack: boolean;

  async function takeOver(ann: CallEncryption): Promise<void> {
    inBetween = new KeyAgreement({
      callId: 'call',
      userId: 'bob',
      peerId: 'ann',
      isCaller: false,
      device: await DeviceKey.of('bob', new MemoryVault()),
      nowSec: () => Date.now() / 1000,
      send: (message) => {
        if (message.step !== 'confirm' || !holdsBack) ann.hear({ ...message, userId: 'bob' });
      },
    });
    ann.begin();
  }

  /** Ann's end of a call with Bob until he is taken out of it. */
  function annsCall(): CallEncryption {
    const bob = endOf('bob', 'ann', false, (message) => ann.hear(message));
    const ann: CallEncryption = endOf('ann', 'bob', true, (message) => {
      if (inBetween) void inBetween.hear(message as unknown as KeyMessage);
      else bob.hear(message);
    });
    for (const end of [ann, bob]) end.begin();
    return ann;
  }

  beforeEach(() => {
    holdsBack = false;
    inBetween = undefined as unknown as KeyAgreement;
  });

  test('is not believed by the words of before', async () => {
    const ann = annsCall();
    await vi.waitFor(() => expect(ann.snapshot.state).toBe('on'), 10_000);
    const { words } = ann.snapshot;
    await takeOver(ann);
    await vi.waitFor(() => expect(ann.snapshot.peerDevice).toBe('changed'), 10_000);
    await ann.confirmWords(true, words);
    expect(ann.snapshot).toMatchObject({ state: 'on', peerDevice: 'changed' });
    // Bob's own device is who the words were compared with.
    const next = call('next')[0];
    await vi.waitFor(() => expect(next.snapshot.state).toBe('verified'), 10_000);
  });

  test('nor while the comparing is being written down', async () => {
    const ann = annsCall();
    await vi.waitFor(() => expect(ann.snapshot.state).toBe('on'), 10_000);
    let write: () => void = () => undefined;
    const slow = new Promise<void>((resolve) => {
      write = resolve;
    });
    const { set } = vaults.ann!;
    vi.spyOn(vaults.ann!, 'set').mockImplementationOnce(async (name, value) => {
      await slow;
      await set.call(vaults.ann!, name, value);
    });
    const confirming = ann.confirmWords(true, ann.snapshot.words);
    await takeOver(ann);
    await vi.waitFor(() => expect(ann.snapshot.state).not.toBe('verified'), 10_000);
    write();
    await confirming;
    await vi.waitFor(() => expect(ann.snapshot.peerDevice).toBe('changed'), 10_000);
    expect(ann.snapshot).toMatchObject({ state: 'on', peerDevice: 'changed' });
  });

  test('is not heard as the one with whom the words were compared, whatever it keeps back', async () => {
    const ann = annsCall();
    await vi.waitFor(() => expect(ann.snapshot.state).toBe('on'), 10_000);
    await ann.confirmWords(true, ann.snapshot.words);
    expect(ann.snapshot.state).toBe('verified');
    const states: string[] = [];
    for (const worker of workers) {
      worker.postMessage = ({ type }) => {
        if (type === 'receiveKey') states.push(ann.snapshot.state);
      };
    }
    holdsBack = true;
    await takeOver(ann);
    // The early keys and the agreed ones: what comes is opened with them from then on.
    await vi.waitFor(() => expect(states).toHaveLength(2), 10_000);
    expect(states).toEqual(['off', 'off']);
    expect(ann.snapshot).toMatchObject({ state: 'off', reason: 'agreeing', sends: 'encrypted' });
  });
});

describe('while the server cannot take what one says', () => {
  const unavailable = () => new DuetApiError(0, { code: 'UNAVAILABLE' });
  /** What of Ann's is not taken, and why. */
  let refuses: (type: string, payload: Record<string, unknown>) => DuetApiError | undefined;
  let asked: string[];

  function callOfAnn(): [CallEncryption, CallEncryption] {
    asked = [];
    const bob: CallEncryption = endOf('bob', 'ann', false, (message) => ann.hear(message));
    const ann: CallEncryption = new CallEncryption({
      callId: 'call',
      userId: 'ann',
      peerId: 'bob',
      isCaller: true,
      device: deviceOf('ann'),
      ask: async (type, payload) => {
        asked.push(type);
        const refusal = refuses(type, payload as Record<string, unknown>);
        if (refusal) throw refusal;
        if (type === 'call:e2ee_key') bob.hear({ ...payload, userId: 'ann' });
      },
    });
    open.push(ann);
    for (const end of [ann, bob]) {
      end.begin();
      end.noteRoom({ produces: true, isAble: true, encrypts: false }, true);
    }
    return [ann, bob];
  }

  beforeEach(() => {
    vi.useFakeTimers();
  });

  test.each(['offer', 'reveal'])('%s: it is said until the server takes it', async (step) => {
    refuses = (_, payload) => (payload.step === step ? unavailable() : undefined);
    const [ann, bob] = callOfAnn();
    await vi.waitFor(() =>
      expect(asked.filter((type) => type === 'call:e2ee_key').length).toBeGreaterThan(1),
    );
    await vi.advanceTimersByTimeAsync(90_000);
    expect(ann.snapshot).toMatchObject({ state: 'off', reason: 'unregistered' });
    const before = asked.length;
    await vi.advanceTimersByTimeAsync(60_000);
    // Not so often that what else is said finds no place.
    expect(asked.length - before).toBeLessThan(30);
    refuses = () => undefined;
    await vi.advanceTimersByTimeAsync(5_000);
    await vi.waitFor(() => expect([ann.snapshot.state, bob.snapshot.state]).toEqual(['on', 'on']), 10_000);
    expect(ann.snapshot.words).toEqual(bob.snapshot.words);
  });

  test('what a later sitting, or the end of the call, has made void is said no more', async () => {
    refuses = (_, payload) => (payload.step === 'offer' ? unavailable() : undefined);
    const [ann] = callOfAnn();
    const epochs: unknown[] = [];
    refuses = (_, payload) => {
      if (payload.step === 'offer') epochs.push(payload.epoch);
      return payload.step === 'offer' ? unavailable() : undefined;
    };
    await vi.waitFor(() => expect(epochs).not.toEqual([]));
    ann.begin();
    await vi.waitFor(() => expect(new Set(epochs).size).toBe(2));
    epochs.splice(0);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(new Set(epochs).size).toBe(1);
    ann.close();
    epochs.splice(0);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(epochs).toEqual([]);
  });

  test('the other learns in the end how things stand here', async () => {
    const said: unknown[] = [];
    let isAway = true;
    refuses = (type, { state }) => {
      if (type !== 'call:e2ee_state') return undefined;
      if (isAway && state === 'on') return unavailable();
      said.push(state);
      return undefined;
    };
    const [ann] = callOfAnn();
    await vi.waitFor(() => expect(ann.snapshot.state).toBe('on'), 10_000);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(said).toEqual(['off']);
    isAway = false;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(said).toEqual(['off', 'on']);
  });

  test('a stranger to the server registers again, but not without end', async () => {
    let registered = 0;
    const refusal = new DuetApiError(0, { code: 'FORBIDDEN' });
    refuses = (type) => (type === 'call:e2ee_key' ? refusal : undefined);
    const device = Object.assign(deviceOf('ann'), { registerAgain: async () => void registered++ });
    const ann = new CallEncryption({
      callId: 'call',
      userId: 'ann',
      peerId: 'bob',
      isCaller: true,
      device,
      ask: async (type, payload) => {
        const why = refuses(type, payload as Record<string, unknown>);
        if (why) throw why;
      },
    });
    open.push(ann);
    ann.begin();
    await vi.waitFor(() => expect(registered).toBeGreaterThan(0));
    await vi.advanceTimersByTimeAsync(120_000);
    expect(registered).toBe(6);
  });
});

test('nothing is waited for any more after the call', async () => {
  const [ann] = call('call');
  await vi.waitFor(() => expect(ann.snapshot.state).toBe('on'), 10_000);
  ann.close();
  vi.useFakeTimers();
  // The last state of a room comes with the news of the end.
  ann.noteRoom({ produces: true, isAble: true, encrypts: false }, true);
  ann.hear({ userId: 'bob' });
  expect(vi.getTimerCount()).toBe(0);
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
      const [one, other] = call('call');
      let isDecided = false;
      void one.frames.then(() => {
        isDecided = true;
      });
      for (const end of [one, other]) end.noteRoom({ produces: true, isAble: true, encrypts: false }, true);
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
    one.noteRoom({ produces: false, isAble: true, encrypts: false }, true);
    expect(await one.frames).toBe(undefined);
    expect(one.snapshot).toMatchObject({ reason: 'browser' });
  });

  test('and the other encrypts already, it is waited for: neither would hear the other in clear', async () => {
    const encrypts = { produces: true, isAble: true, encrypts: true };
    const gone = { produces: false, isAble: false, encrypts: false };
    const [one] = call('call');
    one.noteRoom(encrypts, true);
    await pass(5_000);
    expect(one.snapshot).toMatchObject({ state: 'off', reason: 'loading', sends: 'held' });
    // Whoever has lost the connection for a moment says nothing.
    one.noteRoom(gone, true);
    await pass(20_000);
    expect(one.snapshot).toMatchObject({ reason: 'loading', sends: 'held' });
    one.noteRoom(encrypts, true);
    // A file that did not come is asked for again.
    const [first] = workers;
    first!.onerror();
    await pass(5_000);
    expect(first!.isTerminated).toBe(true);
    expect(workers.length).toBeGreaterThan(2);
    workers.at(-1)!.ready();
    expect(await one.frames).toBeDefined();
    one.noteRoom(encrypts, true);
    expect(one.snapshot).toMatchObject({ reason: 'agreeing', sends: 'held' });

    // In the other's place comes a client that cannot.
    workers = [];
    const [another] = call('another');
    another.noteRoom(encrypts, true);
    await pass(5_000);
    another.noteRoom({ produces: true, isAble: false, encrypts: false }, true);
    expect(await another.frames).toBe(undefined);
    expect(another.snapshot).toMatchObject({ reason: 'browser', sends: 'clear' });

    // Or it is over meanwhile.
    workers = [];
    const [last] = call('last');
    last.noteRoom(encrypts, true);
    await pass(5_000);
    last.close();
    await last.frames;
    expect(workers[0]!.isTerminated).toBe(true);
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
