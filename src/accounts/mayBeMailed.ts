import type { Limits } from '../platform/Limits.ts';
import { type Client, shortAddress } from './client.ts';

/** The mails that somebody who is not signed in can cause, each counted by itself. */
export type AskedMail = 'register' | 'verify' | 'reset';

/**
 * Counts one more mail to an address (`Audit.subject`), for the client's network and then for all: no network uses up
 * what the owner of the address has left. False when it is one too many; the mail is what is left out, nothing else.
 */
export async function mayBeMailed(
  limits: Limits,
  kind: AskedMail,
  subject: string,
  client: Client,
): Promise<boolean> {
  return (
    (await limits.take('mail', `${kind}:${subject}:${shortAddress(client.address)}`)) &&
    (await limits.take('mailOverall', `${kind}:${subject}`))
  );
}
