import { afterEach, expect, test, vi } from 'vitest';
import { openVault } from '../../../../web/sdk/e2ee/IndexedDbVault.ts';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test('a store that does not answer is done without, after a while', async () => {
  vi.useFakeTimers();
  vi.stubGlobal('indexedDB', { open: () => ({}) });
  const vault = openVault();
  const kept = vault.set('name', 'value').then(() => vault.get('name'));
  await vi.advanceTimersByTimeAsync(20_000);
  expect(await kept).toBe('value');
});
