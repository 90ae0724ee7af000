import { DuetError } from '../errors.ts';
import type { MediaPolicy } from '../media/callMediaPort.ts';
import { type Call, mediaPolicy } from './state.ts';

interface Withdrawal {
  userId: string;
  /** What is left of the media. */
  policy: MediaPolicy;
  /** Whether the database did not take the command: it may have meant it all the same. */
  isLost: boolean;
}

/**
 * What people's commands take away from a call before they are committed. It is away from the moment of the command, and
 * nobody else's command brings it back meanwhile. Where a commit fails, it stays away until its person's next command is
 * committed: whoever takes back a consent is not to be seen because a database was busy.
 */
export class Withdrawals {
  readonly #pending = new Set<Withdrawal>();

  /** What may flow in `call`, as it was last committed. */
  policyFor(call: Call): MediaPolicy {
    const policy = { ...mediaPolicy(call) };
    for (const { policy: left } of this.#pending) {
      policy.audio &&= left.audio;
      policy.video &&= left.video;
    }
    return policy;
  }

  /**
   * Commits a person's command, which makes `after` of `before`. `changed` is called when what may flow may have changed:
   * before the commit and after it.
   */
  async during<T>(
    userId: string,
    [before, after]: [before: Call, after: Call],
    changed: () => void,
    commit: () => Promise<T>,
  ): Promise<T> {
    const [now, policy] = [mediaPolicy(before), mediaPolicy(after)];
    const withdrawal: Withdrawal = { userId, policy, isLost: false };
    if ((now.audio && !policy.audio) || (now.video && !policy.video)) this.#pending.add(withdrawal);
    changed();
    try {
      const result = await commit();
      for (const one of this.#pending)
        if (one === withdrawal || (one.userId === userId && one.isLost)) this.#pending.delete(one);
      return result;
    } catch (error) {
      const isRefused = error instanceof DuetError && error.code !== 'UNAVAILABLE';
      if (isRefused) this.#pending.delete(withdrawal);
      withdrawal.isLost = true;
      throw error;
    } finally {
      changed();
    }
  }
}
