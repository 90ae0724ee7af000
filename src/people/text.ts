/**
 * Text that people write about themselves: NFC, counted in graphemes as people count, without control characters
 * or the invisible ones that turn the reading order of what stands around them.
 */
import { z } from 'zod';
import { normalized } from '../normalized.ts';

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Control characters, ends of lines, unassigned and private use, and the controls of bidirectional text (UAX 9). */
const FORBIDDEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Cn}\p{Co}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u;
/**
 * No script needs more combining marks on one letter once text is composed; "zalgo" has dozens. What is not seen, or
 * joins the letter as well, does not begin another one.
 */
const TOO_MANY_MARKS =
  /(?:\p{M}[[\p{Cf}\p{Default_Ignorable_Code_Point}\p{Emoji_Modifier}\uff9e\uff9f]--\p{M}]*){6}/v;
/** Tags spell the region of a flag (UTS 51, annex C). Elsewhere nobody sees them: a message in a message. */
const FLAG_OF_TAGS = /\u{1f3f4}[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{3,6}\u{e007f}/gu;
const TAG = /[\u{e0000}-\u{e007f}]/u;
/** Something to see: no space, no character that is drawn as nothing at all or (the empty Braille pattern) as a gap. */
const VISIBLE = /[[\p{L}\p{N}\p{P}\p{S}]--[\p{Default_Ignorable_Code_Point}\u2800]]/v;
/** A family of four with skin tones is 25 code units; nothing that people type is longer. */
const MAX_UNITS_PER_GRAPHEME = 28;
const STACKED = 'must not stack marks on a letter';

export interface TextRule {
  /** In graphemes, after trimming. From 1 on, one of them must be visible. */
  min: number;
  max: number;
  /** Whether line breaks stay. Otherwise they count as control characters. */
  lines?: boolean;
}

/** A zod string that follows the rule; its output is normalised and trimmed. */
export function humanText(rule: TextRule) {
  const maxUnits = rule.max * MAX_UNITS_PER_GRAPHEME;
  return z
    .string()
    .max(maxUnits, { error: `must have at most ${rule.max} characters`, abort: true })
    .transform((raw, ctx) => {
      const composed = normalized(raw, 'NFC', maxUnits);
      const text = tidy(composed ?? '', rule.lines ?? false);
      const problem = composed === undefined ? STACKED : problemOf(text, rule);
      if (problem === undefined) return text;
      ctx.addIssue({ code: 'custom', message: problem });
      return z.NEVER;
    });
}

function tidy(composed: string, lines: boolean): string {
  const text = composed.trim();
  return lines ? text.replace(/\r\n?|[\u2028\u2029]/g, '\n').replace(/\n{3,}/g, '\n\n') : text;
}

function problemOf(text: string, rule: TextRule): string | undefined {
  const visible = rule.lines ? text.replaceAll('\n', ' ') : text;
  if (FORBIDDEN.test(visible)) return 'must not hold control characters';
  if (TOO_MANY_MARKS.test(visible)) return STACKED;
  if (TAG.test(visible.replace(FLAG_OF_TAGS, ''))) return 'must not hold hidden characters';
  let count = 0;
  for (const { segment } of graphemes.segment(text)) {
    if (segment.length > MAX_UNITS_PER_GRAPHEME) return STACKED;
    count++;
  }
  if (count < rule.min) return `must have at least ${rule.min} characters`;
  if (rule.min > 0 && !VISIBLE.test(visible)) return 'must have a visible character';
  if (count > rule.max) return `must have at most ${rule.max} characters`;
  return undefined;
}
