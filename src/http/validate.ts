import type { z } from 'zod';
import type { ErrorDetail } from '../errors.ts';
import { DuetError } from '../errors.ts';
import { isStorableText } from './body.ts';

const MAX_DETAILS = 20;
const MAX_TEXT = 200;

/** `value` as `schema` reads it. Throws 400 with what is wrong where. */
export function validate(schema: z.ZodType, value: unknown): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new DuetError('VALIDATION_FAILED', { details: issueDetails(result.error) });
}

/** The contract's `details` for what zod found. */
export function issueDetails(error: z.ZodError): ErrorDetail[] {
  return error.issues.slice(0, MAX_DETAILS).map((issue) => ({
    path: issue.path.reduce<string>(joined, '').slice(0, MAX_TEXT),
    message: issue.message.slice(0, MAX_TEXT),
  }));
}

/** The query string as an object. Throws 400 for a repeated parameter and for text that cannot be kept. */
export function parseQuery(query: string): Record<string, string> {
  // Without a prototype, so that a parameter called `__proto__` is nothing but a parameter.
  const values: Record<string, string> = Object.create(null);
  if (query === '') return values;
  for (const [name, value] of new URLSearchParams(query)) {
    const path = name.slice(0, MAX_TEXT);
    if (name in values)
      throw new DuetError('VALIDATION_FAILED', { details: [{ path, message: 'is given twice' }] });
    if (!isStorableText(name) || !isStorableText(value)) {
      throw new DuetError('VALIDATION_FAILED', { details: [{ path, message: 'must not hold NUL' }] });
    }
    values[name] = value;
  }
  return values;
}

function joined(path: string, part: PropertyKey): string {
  if (typeof part === 'number') return `${path}[${part}]`;
  return path === '' ? String(part) : `${path}.${String(part)}`;
}
