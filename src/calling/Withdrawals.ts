import { DuetError } from '../errors.ts';
import type { MediaPolicy } from '../media/callMediaPort.ts';
import type { MediaKind } from './shapes.ts';
import { type Call, mediaPolicy } from './state.ts';
import type { PersonCommand } from './transitions.ts';

interface Withdrawal {
  userId: string;
  /** What is to flow no more. */
  kinds: readonly MediaKind[];
  /** Whether the database did not take the command: it may have meant it all the same. */
  isLost: boolean;
}

/** What somebody wants no more of who gives such a command. */
const REFUSED: Partial<Record<PersonCommand['type'], readonly MediaKind[]>> = {
  end: ['audio', 'video'],
  reject: ['audio', 'video'],
  downgrade: ['video'],
  decline_upgrade: ['video'],
};

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
    for (const { kinds } of this.#pending) {
      for (const kind of kinds) policy[kind] = false;
    }
    return policy;
  }

  /**
   * Commits a person's command, which makes `after` of `before`. `changed` is called when what may flow may have changed:
   * before the commit and after it.
   */
  async during<T>(
    userId: string,
    type: PersonCommand['type'],
    [before, after]: [before: Call, after: Call],
    changed: () => void,
    commit: () => Promise<T>,
  ): Promise<T> {
    const [now, left] = [mediaPolicy(before), mediaPolicy(after)];
    // What does not flow yet is refused as well: the other person's consent to it may be under way. What flows and would go
    // on, because the rules refuse the command, is let be.
    const kinds = (REFUSED[type] ?? []).filter((kind) => !(now[kind] && left[kind]));
    const withdrawal: Withdrawal = { userId, kinds, isLost: false };
    if (kinds.length > 0) this.#pending.add(withdrawal);
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

  /**
   * A person has joined again, and wants to talk after all, if they had hung up and the database did not take it. What they
   * took back of video stays away: that they come back says nothing about it.
   */
  cameBack(userId: string): void {
    for (const one of this.#pending)
      if (one.userId === userId && one.isLost && one.kinds.includes('audio')) this.#pending.delete(one);
  }
}
