import { localNow } from './ServerClock.ts';
import type { Tokens } from './types.ts';

/** Tokens and, by this machine's clock, until when the access token is good (epoch ms). */
export type Session = { tokens: Tokens; goodUntilMs: number };

type Claims = { iat?: number; exp?: number; sid?: string };

/** Tokens that have just come. */
export function sessionOf(tokens: Tokens): Session {
  return { tokens, goodUntilMs: localNow() + lifetimeMs(tokens) };
}

/** What the sign-in is called, over all its tokens. */
export function signInOf({ tokens }: Session): string {
  return claimsOf(tokens).sid ?? `${tokens.user.id} ${tokens.deviceId}`;
}

/** Whether they are two generations of one sign-in's tokens. */
export function isOther(one: Session, other: Session): boolean {
  return one.tokens.refreshToken !== other.tokens.refreshToken && signInOf(one) === signInOf(other);
}

/**
 * Whether one is of the same sign-in as another, and came after it: by the server's clock, for each window has its own,
 * which stands still while the machine sleeps.
 */
export function isNewer(one: Session, other: Session): boolean {
  if (!isOther(one, other)) return false;
  // What is not there, or the same of both, is NaN or 0: the next one says it. `iat` is in whole seconds.
  for (const timeOf of [issuedAt, refreshableUntil, (session: Session) => session.goodUntilMs]) {
    const ahead = timeOf(one) - timeOf(other);
    if (ahead) return ahead > 0;
  }
  return false;
}

/** Reads what `write` made of a session; undefined of anything else. */
export function parseSession(text: string | null): Session | undefined {
  try {
    const session = JSON.parse(text ?? 'null');
    return typeof session?.tokens?.refreshToken === 'string' ? session : undefined;
  } catch {
    return undefined;
  }
}

/** How long an access token lives, from its own claims (RFC 7519 section 4.1): this machine's clock may be wrong. */
function lifetimeMs(tokens: Tokens): number {
  const { iat, exp } = claimsOf(tokens);
  if (iat !== undefined && exp !== undefined && exp > iat) return (exp - iat) * 1000;
  // Not a JWT that can be read here; the stated time will do.
  return Date.parse(tokens.accessTokenExpiresAt) - Date.now();
}

function issuedAt({ tokens }: Session): number {
  return claimsOf(tokens).iat ?? Number.NaN;
}

function refreshableUntil({ tokens }: Session): number {
  return Date.parse(tokens.refreshTokenExpiresAt);
}

function claimsOf({ accessToken }: Tokens): Claims {
  try {
    const payload = accessToken.split('.')[1] ?? '';
    return JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
  } catch {
    return {};
  }
}
