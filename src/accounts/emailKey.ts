import { domainToASCII } from 'node:url';
import { normalized } from '../normalized.ts';

/** In UTF-16 units, as typed: composed and trimmed it becomes shorter, to at most 254 (`shapes.ts`). */
export const MAX_RAW_EMAIL = 1024;

/** Domains that have two spellings: in letters beyond ASCII, and as DNS has them (RFC 5890, section 2.3.2.1). */
const INTERNATIONAL = /[^\p{ASCII}]|(?:^|\.)xn--/u;

/**
 * What email addresses are compared by: NFKC, trimmed, simple case folding (Unicode, section 3.13), the domain as DNS has
 * it. Nothing more: by the usual detour over upper case "mıke" would be "mike", whose mailbox is somebody else's. What
 * cannot be an address (somebody searches for it) stays as it is, and nobody's key is like it.
 *
 * Accounts from before domains were compared in this form get it when they are sealed (`Sealing.ts`): no migration could
 * make it out of SQL. Where one mailbox had two by then, one stays as it was, and the log says so.
 */
export function emailKey(email: string): string {
  const text = normalized(email, 'NFKC', MAX_RAW_EMAIL);
  if (text === undefined) return folded(email);
  const [local, domain, more] = text.trim().toLowerCase().split('@');
  const ascii =
    domain !== undefined && more === undefined && INTERNATIONAL.test(domain) && domainToASCII(domain);
  return ascii ? `${folded(local!)}@${ascii}` : folded(text);
}

function folded(text: string): string {
  // A capital sigma at the end of a word becomes "ς" in lower case, and folds to "σ" all the same.
  return text.trim().toLowerCase().replaceAll('ς', 'σ');
}
