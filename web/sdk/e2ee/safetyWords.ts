import { EVEN_WORDS, ODD_WORDS } from './wordList.ts';

/** 32 bits: who is in between and must commit to a key beforehand is found out but for one time in four billion. */
export const SAFETY_BYTES = 4;

/** Bytes as words to read aloud, a word a byte. */
export function safetyWords(bytes: Uint8Array): string[] {
  return [...bytes].map((byte, i) => (i % 2 === 0 ? EVEN_WORDS : ODD_WORDS)[byte] ?? '');
}
