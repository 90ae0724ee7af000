/**
 * What email addresses are compared by: NFKC, trimmed, simple case folding (Unicode, section 3.13). Nothing more: by
 * the usual detour over upper case "mıke" would be "mike", whose mailbox is somebody else's.
 */
export function emailKey(email: string): string {
  // A capital sigma at the end of a word becomes "ς" in lower case, and folds to "σ" all the same.
  return email.normalize('NFKC').trim().toLowerCase().replaceAll('ς', 'σ');
}
