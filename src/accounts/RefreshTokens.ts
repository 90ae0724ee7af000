import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { bytesOfId, idOfBytes } from '../ids.ts';
import { deriveKeys, type Secrets } from '../platform/keys.ts';

/**
 * Refresh tokens: 64 bytes in base64url, of which the database knows a hash.
 *
 *     session id (16) | secret (32) | tag (16)
 *
 * The secret of a child is made from its parent's with the server's key: presented twice, the parent gives the same
 * child, without the child being kept anywhere. The tag tells a token that was once good (and is now reused, which
 * ends the session) from one that somebody made up (which ends nothing).
 */

export interface ReadRefreshToken {
  sessionId: string;
  /** SHA-256 of the token, as the database has it. */
  hash: Buffer;
  /** Whether the server made this token. Still to be seen: whether it is good. */
  genuine: boolean;
}

const ID_BYTES = 16;
const SECRET_BYTES = 32;
const TAG_BYTES = 16;
const TOKEN_BYTES = ID_BYTES + SECRET_BYTES + TAG_BYTES;

export class RefreshTokens {
  readonly #tagKeys: Buffer[];
  readonly #childKeys: Buffer[];
  readonly #csrfKeys: Buffer[];

  constructor(secrets: Secrets) {
    this.#tagKeys = deriveKeys(secrets, 'refresh token tag');
    this.#childKeys = deriveKeys(secrets, 'refresh token child');
    this.#csrfKeys = deriveKeys(secrets, 'csrf');
  }

  /** A token that has no parent. */
  first(sessionId: string): string {
    return this.#token(sessionId, randomBytes(SECRET_BYTES), 0);
  }

  /** The child of a token that `read` understood. */
  child(parent: string): string {
    return this.#child(parent, 0);
  }

  /** The child of `parent` whose hash is `hash`: of the current key, or of the one before a rotation of keys. */
  childWithHash(parent: string, hash: Buffer): string | undefined {
    return this.#childKeys
      .map((_, index) => this.#child(parent, index))
      .find((token) => sha256(token).equals(hash));
  }

  /** Takes a token apart; undefined when it has not the form of one. */
  read(token: string): ReadRefreshToken | undefined {
    const bytes = Buffer.from(token, 'base64url');
    // One token, one spelling: what decodes to the same bytes in another way is no token.
    if (bytes.length !== TOKEN_BYTES || bytes.toString('base64url') !== token) return undefined;
    const body = bytes.subarray(0, ID_BYTES + SECRET_BYTES);
    const tag = bytes.subarray(ID_BYTES + SECRET_BYTES);
    const genuine = this.#tagKeys.some((key) => timingSafeEqual(tagOf(key, body), tag));
    return { sessionId: idOfBytes(bytes), hash: sha256(token), genuine };
  }

  hash(token: string): Buffer {
    return sha256(token);
  }

  /** The value of the `csrf` cookie of a session: bound to it, so that a planted cookie is worth nothing. */
  csrf(sessionId: string): string {
    return createHmac('sha256', this.#csrfKeys[0]!).update(sessionId).digest('base64url');
  }

  isCsrf(sessionId: string, value: string): boolean {
    const given = sha256(value);
    return this.#csrfKeys.some((key) =>
      timingSafeEqual(sha256(createHmac('sha256', key).update(sessionId).digest('base64url')), given),
    );
  }

  #child(parent: string, keyIndex: number): string {
    const bytes = Buffer.from(parent, 'base64url');
    const secret = createHmac('sha256', this.#childKeys[keyIndex]!).update(bytes).digest();
    return this.#token(idOfBytes(bytes), secret, keyIndex);
  }

  #token(sessionId: string, secret: Buffer, keyIndex: number): string {
    const body = Buffer.concat([bytesOfId(sessionId), secret]);
    return Buffer.concat([body, tagOf(this.#tagKeys[keyIndex]!, body)]).toString('base64url');
  }
}

function tagOf(key: Buffer, body: Buffer): Buffer {
  return createHmac('sha256', key).update(body).digest().subarray(0, TAG_BYTES);
}

function sha256(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
