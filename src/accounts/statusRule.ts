import type { ErrorCode } from '../errors.ts';

/** What an admin may make of an account. */
export const GIVEN_STATUSES = ['active', 'suspended', 'banned'] as const;
export type GivenStatus = (typeof GIVEN_STATUSES)[number];

/** An account as it stands when a status is given to it. */
export interface Standing {
  id: string;
  role: 'user' | 'admin';
  status: GivenStatus | 'deleted';
  /** When it is erased: its owner deleted it. Epoch ms. */
  eraseAt: number | null;
}

/**
 * Whether an admin may give an account a status. Admins are out of reach of each other, themselves included, so that
 * one stolen session cannot lock the others out, and there is always one left. Who deleted the account can still be
 * banned while it waits to be erased, and the ban be taken back; nobody but its owner brings it back.
 */
export function judgeStatusChange(actorId: string, target: Standing, to: GivenStatus): ErrorCode | undefined {
  if (target.id === actorId || target.role === 'admin') return 'CONFLICT';
  const isTakenBack = target.status === 'banned' && to === 'active';
  if (target.eraseAt !== null && to !== 'banned' && !isTakenBack) return 'CONFLICT';
  return undefined;
}

/** What an account becomes that is given a status: deleted it stays, until its owner signs in. */
export function statusAfter(target: Standing, to: GivenStatus): Standing['status'] {
  return target.eraseAt !== null && to === 'active' ? 'deleted' : to;
}
