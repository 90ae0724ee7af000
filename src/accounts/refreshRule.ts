import type { SessionRow } from './sessionStatements.ts';

/** What becomes of a refresh token that was not rotated just now. */
export type RefreshVerdict =
  /** It is the parent of the token that is good, and was rotated a moment ago: the same child again. */
  | 'child_again'
  /** It was good once. Somebody has a copy: the session ends. */
  | 'reused'
  /** Its owner may not sign in. */
  | 'suspended'
  /** It was never good, or its session is over. */
  | 'refused';

/** How long the parent token gives the same child again: for answers that got lost, and for twenty tabs at once. */
export const GRACE_MS = 10_000;

/**
 * Judges a token by its session. `hash` is the token's; `genuine` says that the server made it: only such a token
 * can end a session, or anybody who knows a session's id could.
 */
export function judgeRefresh(
  session: Pick<
    SessionRow,
    'status' | 'token_hash' | 'previous_hash' | 'rotated_at' | 'expires_at' | 'revoked_at'
  >,
  { hash, genuine }: { hash: Buffer; genuine: boolean },
  nowMs: number,
): RefreshVerdict {
  if (session.revoked_at !== null || session.expires_at <= nowMs) return 'refused';
  const isParent = session.previous_hash?.equals(hash) ?? false;
  const isCurrent = session.token_hash.equals(hash);
  if (!isParent && !isCurrent && !genuine) return 'refused';
  if (session.status !== 'active') return 'suspended';
  // Of a live session the current token would have been rotated: it became so in between, and may be tried again.
  if (isCurrent) return 'refused';
  const inGrace = session.rotated_at !== null && nowMs - session.rotated_at <= GRACE_MS;
  return isParent && inGrace ? 'child_again' : 'reused';
}
