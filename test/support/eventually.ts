import { expect } from 'vitest';

/** `expect` of what becomes true in a while. Waits long: a busy machine is no failure. */
export function eventually<T>(read: () => T) {
  return expect.poll(read, { timeout: 20_000, interval: 10 });
}
