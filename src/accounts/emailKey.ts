/**
 * What email addresses are compared by: NFKC, trimmed, case folded. JavaScript has no case folding, but lower case
 * of upper case comes to the same for whatever has one ("ß" and "SS", "ſ" and "s" are one).
 */
export function emailKey(email: string): string {
  return email.normalize('NFKC').trim().toUpperCase().toLowerCase().normalize('NFKC');
}
