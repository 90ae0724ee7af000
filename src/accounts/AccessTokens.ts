import { createHash, createHmac, hash as digest, timingSafeEqual } from 'node:crypto';
import { SignJWT } from 'jose';
import type { Clock } from '../clock.ts';
import { isId } from '../ids.ts';
import type { Secrets } from '../platform/keys.ts';
import { LruMap } from '../platform/LruMap.ts';

/** Who a good access token speaks for. */
export interface Principal {
  userId: string;
  sessionId: string;
  role: 'user' | 'admin';
}

export interface AccessTokensOptions {
  clock: Clock;
  /** The secrets of the tokens' signatures. A token signed with the previous one stays good until it ends. */
  secrets: Secrets;
  /** Good tokens remembered at most; the least used are forgotten first. Default 50,000 (about 15 MB). */
  maxRemembered?: number;
}

interface Remembered {
  principal: Principal;
  issuedAtSec: number;
  expiresAtSec: number;
}

export const ACCESS_TOKEN_MS = 15 * 60_000;
export const ISSUER = 'duet';
export const AUDIENCE = 'duet-api';

const ALGORITHM = 'HS256';
const TYPE = 'at+jwt';
/** Clocks of two servers may differ by this much, in seconds; a token from further ahead is refused. */
const LEEWAY_SEC = 30;
/** Duet's own tokens have about 350 characters. */
const MAX_LENGTH = 2_048;
const DEFAULT_REMEMBERED = 50_000;

/**
 * Access tokens: JWTs (RFC 7519) of the profile RFC 9068, with one algorithm allowed, signed with `jose`.
 *
 * Checking is synchronous and done here: WebCrypto, which `jose` checks with, shares the thread pool with argon2, so
 * that people's requests would wait for other people's logins. A checked token is remembered by its hash until it
 * ends; whether its session still lives is asked elsewhere, each time (`Revocations`).
 */
export class AccessTokens {
  readonly #clock: Clock;
  readonly #signing: { kid: string; key: Buffer };
  readonly #keys: Map<string, Buffer>;
  readonly #remembered: LruMap<string, Remembered>;

  constructor(options: AccessTokensOptions) {
    this.#clock = options.clock;
    this.#remembered = new LruMap(options.maxRemembered ?? DEFAULT_REMEMBERED);
    const { current, previous } = options.secrets;
    const secrets = previous === undefined ? [current] : [current, previous];
    const keys = secrets.map((secret) => ({ kid: kidOf(secret), key: Buffer.from(secret, 'utf8') }));
    this.#signing = keys[0]!;
    this.#keys = new Map(keys.map(({ kid, key }) => [kid, key]));
  }

  /** A new token, and when it ends in epoch milliseconds. */
  async sign(principal: Principal): Promise<{ token: string; expiresAt: number }> {
    const issuedAtSec = Math.floor(this.#clock.now() / 1000);
    const expiresAtSec = issuedAtSec + ACCESS_TOKEN_MS / 1000;
    const token = await new SignJWT({ sid: principal.sessionId, role: principal.role })
      .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid: this.#signing.kid })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setSubject(principal.userId)
      .setIssuedAt(issuedAtSec)
      .setExpirationTime(expiresAtSec)
      .sign(this.#signing.key);
    return { token, expiresAt: expiresAtSec * 1000 };
  }

  /** Who `token` speaks for, or undefined when it is not good: whatever the reason, the client learns no more. */
  verify(token: string): Principal | undefined {
    const nowSec = this.#clock.now() / 1000;
    const name = digest('sha256', token, 'base64url');
    const known = this.#remembered.get(name);
    if (known !== undefined) {
      if (nowSec < known.expiresAtSec) return known.principal;
      this.#remembered.delete(name);
      return undefined;
    }
    const fresh = this.#check(token);
    if (fresh === undefined || nowSec >= fresh.expiresAtSec || fresh.issuedAtSec > nowSec + LEEWAY_SEC)
      return undefined;
    this.#remembered.set(name, fresh);
    return fresh.principal;
  }

  /** Whether a token was made here, whatever became of it since. */
  isOwn(token: string): boolean {
    return this.#check(token) !== undefined;
  }

  #check(token: string): Remembered | undefined {
    if (token.length > MAX_LENGTH) return undefined;
    const parts = token.split('.');
    const [header, payload, signature] = parts;
    if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined)
      return undefined;
    const key = this.#keyFor(header);
    if (key === undefined) return undefined;
    // Compared as text: base64url has several spellings of the same last byte, and one of them is the token's.
    const expected = Buffer.from(
      createHmac('sha256', key).update(`${header}.${payload}`).digest('base64url'),
    );
    const given = Buffer.from(signature);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    return claimsOf(payload);
  }

  /** Only Duet's own header is understood: one algorithm, one type, a known key, and nothing else in it. */
  #keyFor(header: string): Buffer | undefined {
    const fields = jsonObject(header);
    if (fields === undefined || Object.keys(fields).length !== 3) return undefined;
    if (fields.alg !== ALGORITHM || fields.typ !== TYPE || typeof fields.kid !== 'string') return undefined;
    return this.#keys.get(fields.kid);
  }
}

function kidOf(secret: string): string {
  return createHash('sha256').update(`duet kid ${secret}`).digest('base64url').slice(0, 11);
}

function claimsOf(payload: string): Remembered | undefined {
  const claims = jsonObject(payload);
  if (claims === undefined) return undefined;
  const { iss, aud, sub, sid, role, iat, exp } = claims;
  // An audience in a list is refused even if ours is in it: such a token was made for others too.
  if (iss !== ISSUER || aud !== AUDIENCE) return undefined;
  if (typeof sub !== 'string' || !isId(sub) || typeof sid !== 'string' || !isId(sid)) return undefined;
  if (role !== 'user' && role !== 'admin') return undefined;
  if (!Number.isSafeInteger(iat) || !Number.isSafeInteger(exp)) return undefined;
  // Duet makes none that begin later, so it need not know what to make of one.
  if (claims.nbf !== undefined) return undefined;
  return {
    principal: { userId: sub, sessionId: sid, role },
    issuedAtSec: iat as number,
    expiresAtSec: exp as number,
  };
}

/** Has one spelling, the one `jose` writes: what has a name twice, or anything around it, is not understood. */
function jsonObject(part: string): Record<string, unknown> | undefined {
  try {
    const text = Buffer.from(part, 'base64url').toString('utf8');
    const value: unknown = JSON.parse(text);
    if (JSON.stringify(value) !== text) return undefined;
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
