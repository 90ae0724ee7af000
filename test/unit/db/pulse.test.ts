import { beforeEach, describe, expect, test } from 'vitest';
import { Pulse } from '../../../src/db/Pulse.ts';
import { DuetError } from '../../../src/errors.ts';
import { FakeClock } from '../../support/FakeClock.ts';

let clock: FakeClock;
let probes: PromiseWithResolvers<void>[];
let changes: boolean[];
let pulse: Pulse;

beforeEach(() => {
  clock = new FakeClock();
  probes = [];
  changes = [];
  pulse = new Pulse({
    clock,
    probe: () => {
      const probe = Promise.withResolvers<void>();
      probes.push(probe);
      return probe.promise;
    },
    onChange: (stalled) => changes.push(stalled),
  });
});

/** Time passes as for a process that gets its turn: between two moments everything that arrived is read. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    clock.advance(50);
    await new Promise((done) => setImmediate(done));
  }
}

/** Work that comes back when told, and what became of it. */
function ask() {
  const work = Promise.withResolvers<string>();
  const told: { answer?: string; error?: unknown } = {};
  const answered = pulse
    .watch(() => work.promise)
    .then(
      (answer) => {
        told.answer = answer;
      },
      (error: unknown) => {
        told.error = error;
      },
    );
  return { work, told, answered };
}

describe('a database that does not answer', () => {
  test('is given up within two seconds: who waits and who comes are refused', async () => {
    const { told, answered } = ask();
    await pass(1_900);
    await answered;
    expect(told.error).toMatchObject({ code: 'UNAVAILABLE', retryAfterSec: 1 });
    expect(changes).toEqual([true]);
    let ran = false;
    const refused = pulse.watch(async () => {
      ran = true;
    });
    await expect(refused).rejects.toThrow(DuetError);
    expect(ran).toBe(false);
  });

  test('is asked until it answers; then work goes on', async () => {
    await Promise.all([ask().answered, pass(1_900)]);
    probes[0]!.reject(new Error('timeout'));
    await pass(300);
    expect(probes.length).toBeGreaterThan(1);
    expect(pulse.stalled).toBe(true);
    probes.at(-1)!.resolve();
    await pass(200);
    expect(changes).toEqual([true, false]);
    expect(await pulse.watch(async () => 'an answer')).toBe('an answer');
  });

  test('is known by the probe, whatever came back from elsewhere', async () => {
    const { work, told, answered } = ask();
    for (let step = 0; step < 18; step++) {
      await pulse.watch(async () => 'from another connection').catch(() => {});
      await pass(100);
    }
    await Promise.all([answered, pass(200)]);
    expect(told.error).toMatchObject({ code: 'UNAVAILABLE' });
    work.resolve('too late for whoever asked');
    await pass(200);
    expect(told.answer).toBeUndefined();
    expect(changes).toEqual([true]);
  });
});

test('what comes back on connections made since then is no sign of life of those of before', async () => {
  const { told, answered } = ask();
  for (let step = 0; step < 14; step++) {
    await pulse.watch(async () => 'from a new connection', pulse.looks).catch(() => {});
    await pass(100);
  }
  await answered;
  expect(told.error).toMatchObject({ code: 'UNAVAILABLE' });
});

test('… nor is what was given up on this side', async () => {
  const { told, answered } = ask();
  for (let step = 0; step < 14; step++) {
    await pulse.watch(() => Promise.reject(new Error('Query read timeout'))).catch(() => {});
    await pass(100);
  }
  await answered;
  expect(told.error).toMatchObject({ code: 'UNAVAILABLE' });
});

describe('is not taken to stand still', () => {
  test('when one statement is slow and the probe is answered', async () => {
    const { work, told, answered } = ask();
    for (let half = 0; half < 20; half++) {
      await pass(500);
      probes.at(-1)?.resolve();
    }
    expect(probes.length).toBeGreaterThan(5);
    expect(changes).toEqual([]);
    work.resolve('slow');
    await answered;
    expect(told.answer).toBe('slow');
  });

  test('when much waits, something comes back now and then, and the probe takes a second', async () => {
    const waiting = Array.from({ length: 20 }, () => ask());
    for (const { work } of waiting) {
      await pass(500);
      work.reject(Object.assign(new Error('duplicate key'), { severity: 'ERROR' }));
      await pass(500);
      probes.at(-1)?.resolve();
    }
    await Promise.all(waiting.map(({ answered }) => answered));
    expect(changes).toEqual([]);
  });

  test('when the process itself stood still: it looks once and reads what came', async () => {
    const { work, answered } = ask();
    await pass(500);
    // Ten seconds without a turn are one look, as Node's timers have it; what arrived meanwhile is read after it.
    clock.jump(10_000);
    work.resolve('was there all the time');
    await answered;
    await pass(500);
    expect(changes).toEqual([]);
  });

  test('when nothing is asked of it', async () => {
    await pulse.watch(async () => 'an answer');
    await pass(20_000);
    expect(probes).toEqual([]);
    expect(changes).toEqual([]);
  });
});
