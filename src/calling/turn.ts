import { createHmac } from 'node:crypto';

export interface IceServer {
  urls: string[];
  username: string;
  credential: string;
}

/** Of whom coturn is told apart by: enough that no two meet. */
const NAME_CHARS = 16;

/**
 * Time-limited TURN credentials as coturn's `use-auth-secret` checks them ("TURN REST API", draft-uberti-behave-
 * turn-rest-00 section 2.2): the user name is the expiry and a word, the password its HMAC-SHA1 under the shared secret.
 * The word stands for `holder` and tells nothing of it. It stays the same for one, because coturn counts allocations by
 * it (`user-quota`): with a new one each time, one person could take all that the server has.
 */
export function turnCredentials(
  secret: string,
  urls: readonly string[],
  expiresAtSec: number,
  holder: string,
): IceServer {
  const name = createHmac('sha256', secret)
    .update(`holder ${holder}`)
    .digest('base64url')
    .slice(0, NAME_CHARS);
  const username = `${expiresAtSec}:${name}`;
  const credential = createHmac('sha1', secret).update(username).digest('base64');
  return { urls: [...urls], username, credential };
}
