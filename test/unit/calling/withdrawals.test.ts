import { expect, test } from 'vitest';
import type { Call } from '../../../src/calling/state.ts';
import type { PersonCommand } from '../../../src/calling/transitions.ts';
import { Withdrawals } from '../../../src/calling/Withdrawals.ts';
import { DuetError } from '../../../src/errors.ts';

const video = { phase: 'active', media: 'video' } as Call;
const audio = { phase: 'active', media: 'audio' } as Call;
const ended = { phase: 'ended' } as Call;
const ringing = { phase: 'ringing' } as Call;

/** Commands that are under way, and what may flow in the call as it was last committed. */
function begin(from = video) {
  const withdrawals = new Withdrawals();
  let committed = from;
  const allowed: string[] = [];
  const policy = () => {
    const { audio: voice, video: picture } = withdrawals.policyFor(committed);
    return `${voice ? 'voice' : ''}${picture ? ' picture' : ''}`;
  };
  const command = (userId: string, type: PersonCommand['type'], after: Call) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const done = withdrawals.during(
      userId,
      type,
      [committed, after],
      () => allowed.push(policy()),
      async () => {
        await promise;
        committed = after;
      },
    );
    return {
      done,
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
  return { withdrawals, command, policy, allowed };
}

test('what a command takes away is away before it is committed, and nobody else brings it back', async () => {
  const { command, policy, allowed } = begin();
  const downgrade = command('ann', 'downgrade', audio);
  expect(allowed).toEqual(['voice']);
  const refused = command('bob', 'extend', video);
  expect(allowed).toEqual(['voice', 'voice']);
  await refused.fail(new DuetError('WRONG_PHASE'));
  expect(policy()).toBe('voice');
  const extended = command('bob', 'extend', video);
  await extended.commit();
  expect(policy()).toBe('voice');
  await downgrade.commit();
  expect(allowed.at(-1)).toBe('voice');
});

test('what the database did not take stays away until the person’s next command is committed', async () => {
  const { command, policy } = begin();
  const downgrade = command('ann', 'downgrade', audio);
  await downgrade.fail(new DuetError('UNAVAILABLE'));
  expect(policy()).toBe('voice');
  await command('bob', 'extend', video).commit();
  expect(policy()).toBe('voice');
  await command('ann', 'extend', video).commit();
  expect(policy()).toBe('voice picture');
});

test('a command that is refused takes nothing away, and one that ends the call everything', async () => {
  const { command, policy } = begin();
  const refused = command('ann', 'downgrade', audio);
  await refused.fail(new DuetError('WRONG_PHASE'));
  expect(policy()).toBe('voice picture');
  const end = command('bob', 'end', ended);
  expect(policy()).toBe('');
  await end.commit();
  expect(policy()).toBe('');
});

test('who wants no video has none, also when the other consents to it at that moment', async () => {
  for (const type of ['downgrade', 'decline_upgrade'] as const) {
    const { command, policy } = begin(audio);
    const consent = command('bob', 'upgrade', video);
    const refusal = command('ann', type, audio);
    await consent.commit();
    expect(policy()).toBe('voice');
    await refusal.fail(new DuetError('UNAVAILABLE'));
    expect(policy()).toBe('voice');
    await command('ann', 'upgrade', video).commit();
    expect(policy()).toBe('voice picture');
  }
});

test('who wants no video, hangs up or rejects while it is being answered with video is not seen', async () => {
  for (const [type, left] of [
    ['downgrade', 'voice'],
    ['end', ''],
    ['reject', ''],
  ] as const) {
    const { command, policy } = begin(ringing);
    const answer = command('bob', 'answer', video);
    const refusal = command('ann', type, ringing);
    await answer.commit();
    expect(policy()).toBe(left);
    await refusal.fail(new DuetError('WRONG_PHASE'));
    expect(policy()).toBe('voice picture');
  }
});

test('a refusal that the rules refuse stops nothing that flows', async () => {
  const { command, allowed } = begin();
  await command('ann', 'decline_upgrade', video).fail(new DuetError('WRONG_PHASE'));
  await command('bob', 'reject', video).fail(new DuetError('WRONG_PHASE'));
  expect(new Set(allowed)).toEqual(new Set(['voice picture']));
});

test('who comes back talks again, although a hang-up was lost, but is not seen who took video back', async () => {
  const { withdrawals, command, policy } = begin();
  await command('ann', 'end', ended).fail(new DuetError('UNAVAILABLE'));
  withdrawals.cameBack('bob');
  expect(policy()).toBe('');
  withdrawals.cameBack('ann');
  expect(policy()).toBe('voice picture');
  await command('ann', 'downgrade', audio).fail(new DuetError('UNAVAILABLE'));
  withdrawals.cameBack('ann');
  expect(policy()).toBe('voice');
});

test('what a command took away is theirs again once it is committed: both may agree to video anew', async () => {
  const { command, policy } = begin();
  await command('ann', 'downgrade', audio).commit();
  await command('bob', 'upgrade', video).commit();
  expect(policy()).toBe('voice picture');
});

test('another command of the same person, or their other device that comes back, undoes nothing that is under way', async () => {
  const { withdrawals, command, policy } = begin();
  const downgrade = command('ann', 'downgrade', audio);
  await command('ann', 'extend', video).commit();
  expect(policy()).toBe('voice');
  await downgrade.commit();
  const end = command('ann', 'end', ended);
  withdrawals.cameBack('ann');
  expect(policy()).toBe('');
  await end.commit();
});

test('whatever else fails than the rules is no refusal: nobody knows what became of it, and it is thrown on', async () => {
  const { command, policy, allowed } = begin();
  const lost = command('ann', 'downgrade', audio);
  await lost.fail(new Error('Connection terminated'));
  expect(policy()).toBe('voice');
  const refused = command('bob', 'reject', ended);
  const refusal = new DuetError('WRONG_PHASE');
  await refused.fail(refusal);
  await expect(refused.done).rejects.toBe(refusal);
  // Whoever shows what may flow is told that it may again.
  expect(allowed.slice(-2)).toEqual(['', 'voice']);
});
