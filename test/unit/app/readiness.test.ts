import { expect, test } from 'vitest';
import { sharedChecks } from '../../../src/app/readiness.ts';
import { FakeClock } from '../../support/FakeClock.ts';

const clock = new FakeClock();
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Something that is asked, and answers when it is told to. */
function dependency() {
  const asked: PromiseWithResolvers<void>[] = [];
  const ask = () => {
    asked.push(Promise.withResolvers());
    return asked.at(-1)!.promise;
  };
  return { asked, ask };
}

test('whoever asks meanwhile, and a second after, hears the same answer', async () => {
  const { asked, ask } = dependency();
  const read = sharedChecks(clock, { thing: ask });
  const answers = Array.from({ length: 1_000 }, read);
  expect(asked).toHaveLength(1);
  asked[0]!.resolve();
  for (const checks of await Promise.all(answers)) expect(checks).toEqual({ thing: 'up' });
  clock.advance(999);
  expect(await read()).toEqual({ thing: 'up' });
  expect(asked).toHaveLength(1);
  clock.advance(1);
  const next = read();
  expect(asked).toHaveLength(2);
  asked[1]!.reject(new Error('away'));
  expect(await next).toEqual({ thing: 'down' });
});

test('what does not answer is down after a second, and is not asked again before it has answered', async () => {
  const { asked, ask } = dependency();
  const read = sharedChecks(clock, { slow: ask, quick: async () => {} });
  for (let round = 0; round < 3; round++) {
    const answer = read();
    await turn();
    clock.advance(1_000);
    expect(await answer).toEqual({ slow: 'down', quick: 'up' });
    clock.advance(1_000);
  }
  expect(asked).toHaveLength(1);
  const answer = read();
  asked[0]!.resolve();
  expect(await answer).toEqual({ slow: 'up', quick: 'up' });
  clock.advance(1_000);
  void read();
  expect(asked).toHaveLength(2);
});

test('a question that cannot even be put is a failure of what was asked', async () => {
  const read = sharedChecks(clock, {
    broken: () => {
      throw new Error('closed');
    },
  });
  expect(await read()).toEqual({ broken: 'down' });
});
