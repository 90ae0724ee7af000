import { normalized } from '../normalized.ts';

/** In UTF-16 units, as typed: composed and trimmed it becomes shorter, to at most 254 (`shapes.ts`). */
export const MAX_RAW_EMAIL = 1024;

/**
 * What email addresses are compared by: NFKC, trimmed, simple case folding (Unicode, section 3.13). Nothing more: by
 * the usual detour over upper case "mıke" would be "mike", whose mailbox is somebody else's. What cannot be an address
 * (somebody searches for it) stays as it is, and nobody's key is like it.
 */
export function emailKey(email: string): string {
  const text = normalized(email, 'NFKC', MAX_RAW_EMAIL) ?? email;
  // A capital sigma at the end of a word becomes "ς" in lower case, and folds to "σ" all the same.
  return text.trim().toLowerCase().replaceAll('ς', 'σ');
}
