import type { z } from 'zod';
import { DuetError } from '../errors.ts';
import { issueDetails, MAX_DETAIL_TEXT } from '../shapes.ts';
import { isStorableText } from './body.ts';

/** `value` as `schema` reads it. Throws 400 with what is wrong where. */
export function validate(schema: z.ZodType, value: unknown): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new DuetError('VALIDATION_FAILED', { details: issueDetails(result.error) });
}

/** The query string as an object. Throws 400 for a repeated parameter and for text that cannot be kept. */
export function parseQuery(query: string): Record<string, string> {
  // Without a prototype, so that a parameter called `__proto__` is nothing but a parameter.
  const values: Record<string, string> = Object.create(null);
  if (query === '') return values;
  for (const [name, value] of new URLSearchParams(query)) {
    const path = name.slice(0, MAX_DETAIL_TEXT);
    if (name in values)
      throw new DuetError('VALIDATION_FAILED', { details: [{ path, message: 'is given twice' }] });
    if (!isStorableText(name) || !isStorableText(value)) {
      throw new DuetError('VALIDATION_FAILED', { details: [{ path, message: 'must not hold NUL' }] });
    }
    values[name] = value;
  }
  return values;
}
