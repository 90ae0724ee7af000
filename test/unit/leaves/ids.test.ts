import { describe, expect, test } from 'vitest';
import { isId, newCheapId } from '../../../src/ids.ts';

describe('newCheapId', () => {
  test('is a UUIDv7 of the time, and never the same', () => {
    const now = Date.UTC(2030, 0, 1);
    const ids = Array.from({ length: 1_000 }, (_, i) => newCheapId(now + (i % 3)));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.every((id) => isId(id) && id[14] === '7')).toBe(true);
    expect(Number.parseInt(ids[0]!.replace('-', '').slice(0, 12), 16)).toBe(now);
  });
});
