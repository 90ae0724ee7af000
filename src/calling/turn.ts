import { createHmac } from 'node:crypto';
import { newSecret } from '../ids.ts';

export interface IceServer {
  urls: string[];
  username: string;
  credential: string;
}

/**
 * Time-limited TURN credentials as coturn's `use-auth-secret` checks them ("TURN REST API", draft-uberti-behave-
 * turn-rest-00 section 2.2): the user name is the expiry and a random word, never anything of a person; the
 * password is its HMAC-SHA1 under the shared secret.
 */
export function turnCredentials(secret: string, urls: readonly string[], expiresAtSec: number): IceServer {
  const username = `${expiresAtSec}:${newSecret(9)}`;
  const credential = createHmac('sha1', secret).update(username).digest('base64');
  return { urls: [...urls], username, credential };
}
