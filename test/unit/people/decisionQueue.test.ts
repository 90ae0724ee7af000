import { describe, expect, it } from 'vitest';
import { DuetError } from '../../../src/errors.ts';
import { DecisionQueue } from '../../../src/matching/DecisionQueue.ts';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('the queue of decisions', () => {
  it('gathers what comes together and answers each', async () => {
    const batches: number[] = [];
    const queue = new DecisionQueue<number, number>({
      run: async (items) => {
        batches.push(items.length);
        await pause(5);
        return items.map((item) => item * 2);
      },
      keyOf: String,
      batchSize: 100,
    });
    const answers = await Promise.all(Array.from({ length: 250 }, (_, i) => queue.add(i)));
    expect(answers).toEqual(Array.from({ length: 250 }, (_, i) => i * 2));
    expect(batches).toEqual([100, 100, 50]);
  });

  it('sends a second batch beside the first when as many wait, and the rest when one is done', async () => {
    const batches: number[] = [];
    const ends: (() => void)[] = [];
    const queue = new DecisionQueue<number, number>({
      run: async (items) => {
        batches.push(items.length);
        await new Promise<void>((resolve) => ends.push(resolve));
        return [...items];
      },
      keyOf: String,
    });
    const answers: Promise<number>[] = [];
    const add = async (count: number) => {
      for (let i = 0; i < count; i++) answers.push(queue.add(answers.length));
      await pause(5);
    };
    await add(10);
    await add(9);
    expect(batches).toEqual([10]);
    await add(1);
    expect(batches).toEqual([10, 10]);
    await add(30);
    expect(batches).toEqual([10, 10]);
    ends[0]!();
    await pause(5);
    expect(batches).toEqual([10, 10, 30]);
    await add(1);
    ends[1]!();
    ends[2]!();
    await pause(5);
    ends[3]!();
    expect(await Promise.all(answers)).toHaveLength(51);
    expect(batches).toEqual([10, 10, 30, 1]);
  });

  it('never runs two of the same key at once, and keeps their order', async () => {
    const running = new Set<string>();
    const order: string[] = [];
    const queue = new DecisionQueue<string, string>({
      run: async (items) => {
        for (const item of items) {
          expect(running.has(item[0]!)).toBe(false);
          running.add(item[0]!);
          order.push(item);
        }
        await pause(2);
        for (const item of items) running.delete(item[0]!);
        return [...items];
      },
      keyOf: (item) => item[0]!,
    });
    await Promise.all(['a1', 'a2', 'b1', 'a3', 'b2'].map((item) => queue.add(item)));
    expect(order.filter((item) => item.startsWith('a'))).toEqual(['a1', 'a2', 'a3']);
    expect(order.filter((item) => item.startsWith('b'))).toEqual(['b1', 'b2']);
  });

  it('refuses at once when it is full, and goes on after a batch that failed', async () => {
    let fail = true;
    const queue = new DecisionQueue<number, number>({
      run: async (items) => {
        await pause(2);
        if (fail) throw new Error('the database is away');
        return [...items];
      },
      keyOf: String,
      maxWaiting: 3,
    });
    const results = await Promise.allSettled([1, 2, 3, 4].map((item) => queue.add(item)));
    expect(
      results.map((result) => (result.status === 'rejected' ? (result.reason as Error).message : 'done')),
    ).toEqual([
      'the database is away',
      'the database is away',
      'the database is away',
      new DuetError('UNAVAILABLE').message,
    ]);
    fail = false;
    expect(await queue.add(5)).toBe(5);
    await queue.drained();
  });
});
