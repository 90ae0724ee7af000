import { dictionary } from '@zxcvbn-ts/language-common';

/** Words of this service, which a guesser tries first (OWASP ASVS 6.2.11). */
const OWN_WORDS = ['duetduet', 'duet1234', 'duetdating', 'calldating'];

const common = new Set([...dictionary['passwords-common'].map((word) => word.toLowerCase()), ...OWN_WORDS]);

/** Whether `password` is one of the some 49,000 most common ones, in whatever case. */
export function isCommonPassword(password: string): boolean {
  return common.has(password.toLowerCase());
}

/** Whether `password` is the person's own address or name, which are the next guesses. */
export function isOwnName(password: string, names: readonly string[]): boolean {
  const given = password.toLowerCase();
  return names.some((name) => {
    const lower = name.toLowerCase();
    return given === lower || given === lower.split('@')[0];
  });
}
