import type { z } from 'zod';
import { DuetError } from '../errors.ts';
import { issueDetails, MAX_DETAIL_TEXT } from '../shapes.ts';
import { isStorableText } from './body.ts';
import type { Route } from './route.ts';

/** What a request's address says, as its route reads it. */
export type Address = { params: unknown; query: unknown };

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

/** What the address says, before the body: where there is nothing, none is read. */
export function readAddress(route: Route, given: Record<string, string>, query: string): Address {
  let params: unknown = given;
  if (route.params !== undefined) {
    const read = route.params.safeParse(given);
    if (!read.success) throw new DuetError(route.unfit ?? 'NOT_FOUND');
    params = read.data;
  }
  return { params, query: readQuery(route, query) };
}

function readQuery({ query, unfit }: Route, text: string): unknown {
  if (query === undefined) return undefined;
  try {
    return validate(query, parseQuery(text));
  } catch (error) {
    throw unfit === undefined ? error : new DuetError(unfit);
  }
}

/** A body as `schema` reads it; one without fields where there is none. */
export function readFields(schema: z.ZodType | undefined, json: object): unknown {
  if (schema !== undefined) return validate(schema, json);
  if (Object.keys(json).length === 0) return undefined;
  throw new DuetError('VALIDATION_FAILED', { details: [{ path: '', message: 'takes no fields' }] });
}
