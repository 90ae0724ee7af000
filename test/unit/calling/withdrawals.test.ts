import { expect, test } from 'vitest';
import type { Call } from '../../../src/calling/state.ts';
import { Withdrawals } from '../../../src/calling/Withdrawals.ts';
import { DuetError } from '../../../src/errors.ts';

const video = { phase: 'active', media: 'video' } as Call;
const audio = { phase: 'active', media: 'audio' } as Call;
const ended = { phase: 'ended' } as Call;

/** Commands that are under way, and what may flow in the call as it was last committed. */
function begin() {
  const withdrawals = new Withdrawals();
  let committed = video;
  const allowed: string[] = [];
  const policy = () => {
    const { audio: voice, video: picture } = withdrawals.policyFor(committed);
    return `${voice ? 'voice' : ''}${picture ? ' picture' : ''}`;
  };
  const command = (userId: string, after: Call) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const done = withdrawals.during(
      userId,
      [committed, after],
      () => allowed.push(policy()),
      async () => {
        await promise;
        committed = after;
      },
    );
    return {
      commit: () => {
        resolve();
        return done;
      },
      fail: (error: Error) => {
        reject(error);
        return done.catch(() => {});
      },
    };
  };
  return { command, policy, allowed };
}

test('what a command takes away is away before it is committed, and nobody else brings it back', async () => {
  const { command, policy, allowed } = begin();
  const downgrade = command('ann', audio);
  expect(allowed).toEqual(['voice']);
  const refused = command('bob', video);
  expect(allowed).toEqual(['voice', 'voice']);
  await refused.fail(new DuetError('WRONG_PHASE'));
  expect(policy()).toBe('voice');
  const extended = command('bob', video);
  await extended.commit();
  expect(policy()).toBe('voice');
  await downgrade.commit();
  expect(allowed.at(-1)).toBe('voice');
});

test('what the database did not take stays away until the person’s next command is committed', async () => {
  const { command, policy } = begin();
  const downgrade = command('ann', audio);
  await downgrade.fail(new DuetError('UNAVAILABLE'));
  expect(policy()).toBe('voice');
  await command('bob', video).commit();
  expect(policy()).toBe('voice');
  await command('ann', video).commit();
  expect(policy()).toBe('voice picture');
});

test('a command that is refused takes nothing away, and one that ends the call everything', async () => {
  const { command, policy } = begin();
  const refused = command('ann', audio);
  await refused.fail(new DuetError('WRONG_PHASE'));
  expect(policy()).toBe('voice picture');
  const end = command('bob', ended);
  expect(policy()).toBe('');
  await end.commit();
  expect(policy()).toBe('');
});
