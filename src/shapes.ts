/** The zod pieces that every contract schema is made of. */
import { z } from 'zod';
import { DuetError } from './errors.ts';
import { isId } from './ids.ts';

/** An id of the API: a UUID in lower case. */
export const Id = z.string().refine(isId, 'must be a UUID').meta({ id: 'Id', format: 'uuid' });

/** ISO 8601 UTC. */
export const Time = z.iso.datetime().meta({ description: 'ISO 8601, UTC' });

/** `?limit=&cursor=` of every list. */
export const Page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().min(1).max(512).optional(),
});

export type Page = z.infer<typeof Page>;

/** What a list answers to a cursor that it did not write. */
export function notOfThisList(): DuetError {
  return new DuetError('VALIDATION_FAILED', {
    details: [{ path: 'cursor', message: 'is not a cursor of this list' }],
  });
}

/** `{ items, nextCursor }` of every list. */
export function listOf<T extends z.ZodType>(item: T) {
  return z.strictObject({ items: z.array(item), nextCursor: z.string().nullable() });
}

/** A message or body without fields; absent counts as empty. */
export const Nothing = z.strictObject({}).nullish();
