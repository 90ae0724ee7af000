import { afterEach, expect, test, vi } from 'vitest';
import { openVault } from '../../../../web/sdk/e2ee/IndexedDbVault.ts';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test('a store that does not answer is done without, after a while', async () => {
  vi.useFakeTimers();
  const open = vi.fn(() => ({}));
  vi.stubGlobal('indexedDB', { open });
  const vault = openVault();
  const kept = vault.set('name', 'value').then(() => vault.get('name'));
  await vi.advanceTimersByTimeAsync(20_000);
  expect(await kept).toBe('value');
  // And once for all: a call waits for it.
  expect(open).toHaveBeenCalledTimes(1);
});

/** A store with a value in it, as far as it is used; the first openings fail as often as is said. */
class FakeIndexedDb {
  fails = 0;
  opened: { onclose: () => void; transaction: () => object }[] = [];

  open(): object {
    const { opened } = this;
    const get = () => answer(() => 'kept');
    const database = { onclose: () => undefined, transaction: () => ({ objectStore: () => ({ get }) }) };
    return answer(() => {
      if (this.fails-- > 0) throw new DOMException('', 'UnknownError');
      opened.push(database);
      return database;
    });
  }
}

/** A request that is answered in a moment. */
function answer(make: () => unknown): object {
  const request = {
    readyState: 'done',
    result: undefined as unknown,
    error: undefined as unknown,
    onsuccess: () => undefined,
    onerror: () => undefined,
  };
  queueMicrotask(() => {
    try {
      request.result = make();
      request.onsuccess();
    } catch (error) {
      request.error = error;
      request.onerror();
    }
  });
  return request;
}

test('a store that could not be opened once, or was closed by the browser, is opened again', async () => {
  const store = new FakeIndexedDb();
  vi.stubGlobal('indexedDB', store);
  const vault = openVault();
  store.fails = 1;
  expect(await vault.get('name')).toBe(undefined);
  // What was said of somebody's device would be forgotten for as long as the page is open.
  expect(await vault.get('name')).toBe('kept');

  const [first] = store.opened;
  first!.transaction = () => {
    throw new DOMException('', 'InvalidStateError');
  };
  first!.onclose();
  expect(await vault.get('name')).toBe('kept');
});
