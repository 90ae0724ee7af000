/** The zod pieces that every contract schema is made of. */
import { z } from 'zod';
import { DuetError, ERRORS, type ErrorCode, type ErrorDetail } from './errors.ts';
import { isId } from './ids.ts';

const MAX_DETAILS = 20;
/** No more of what somebody sent is given back in one piece. */
export const MAX_DETAIL_TEXT = 200;

/** An id of the API: a UUID in lower case. */
export const Id = z.string().refine(isId, 'must be a UUID').meta({ id: 'Id', format: 'uuid' });

/** ISO 8601 UTC. */
export const Time = z.iso.datetime().meta({ description: 'ISO 8601, UTC' });

/** `?limit=&cursor=` of every list. */
export const Page = z.strictObject({
  limit: z
    .string()
    .regex(/^[1-9]\d{0,2}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().max(100))
    .default(20)
    .meta({ override: { type: 'integer', minimum: 1, maximum: 100, default: 20 } }),
  cursor: z.string().min(1).max(512).optional(),
});

export type Page = z.infer<typeof Page>;

/** A page of a list that is held whole: its cursor is the id of the last item before. Throws 400 for one of no item. */
export function pageOfWhole<T extends { id: string }>(
  all: readonly T[],
  { limit, cursor }: Page,
): { items: T[]; nextCursor: string | null } {
  const start = cursor === undefined ? 0 : all.findIndex((item) => item.id === cursor) + 1;
  if (cursor !== undefined && start === 0) throw notOfThisList();
  const items = all.slice(start, start + limit);
  return { items, nextCursor: start + limit < all.length ? items.at(-1)!.id : null };
}

/** A page of `rows`, of which one more than fit was asked for; the cursor is the id of its last. */
export function pageOf<Row extends { id: string }, T>(
  rows: readonly Row[],
  limit: number,
  present: (row: Row) => T,
): { items: T[]; nextCursor: string | null } {
  const shown = rows.slice(0, limit);
  return { items: shown.map(present), nextCursor: rows.length > limit ? shown.at(-1)!.id : null };
}

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

/** What both doors say of a refusal. */
export const refusalFields = {
  code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
  message: z.string(),
  details: z.array(z.strictObject({ path: z.string(), message: z.string() })).optional(),
};

/** A message or body without fields; absent counts as empty. */
export const Nothing = z.strictObject({}).nullish();

/** The contract's `details` for what zod found: at both doors, and no longer than somebody reads. */
export function issueDetails(error: z.ZodError): ErrorDetail[] {
  return error.issues.slice(0, MAX_DETAILS).map((issue) => ({
    path: issue.path.reduce<string>(joined, '').slice(0, MAX_DETAIL_TEXT),
    message: issue.message.slice(0, MAX_DETAIL_TEXT),
  }));
}

function joined(path: string, part: PropertyKey): string {
  if (typeof part === 'number') return `${path}[${part}]`;
  return path === '' ? String(part) : `${path}.${String(part)}`;
}
