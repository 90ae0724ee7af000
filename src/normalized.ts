/** Unicode normalisation, of text that strangers sent: nothing else in the house calls `String.prototype.normalize`. */

/**
 * Marks are put into order by comparing each with all before it since the last letter, so that 30,000 on one letter
 * take seconds. 30 are more than any writing has: the Stream-Safe Text Format (UAX #15, section 13) is text without a
 * longer run. Beside \p{M}: letters that decompose into a mark, and vowels of Kirat Rai that join what is before them.
 */
const ENDLESS_MARKS = /[\p{M}\u0e33\u0eb3\uff9e\uff9f\u{16d63}\u{16d67}-\u{16d6a}]{31}/u;

/** The normal form of a text of at most `maxUnits` UTF-16 units; undefined where it is longer, or not stream-safe. */
export function normalized(text: string, form: 'NFC' | 'NFD' | 'NFKC', maxUnits: number): string | undefined {
  if (text.length > maxUnits || ENDLESS_MARKS.test(text)) return undefined;
  return text.normalize(form);
}
