import type { ErrorCode, ErrorDetail } from '../errors.ts';
import { DuetError, ERRORS } from '../errors.ts';

/** The one mapper of the HTTP door: whatever was thrown becomes an answer that gives nothing away. */

export type HttpError = {
  status: number;
  code: ErrorCode;
  message: string;
  details: ErrorDetail[] | undefined;
  retryAfterSec: number | undefined;
  /** Whether it is nobody's mistake but ours: logged with its cause. */
  unexpected: boolean;
};

// SQLSTATE classes and codes (PostgreSQL, appendix A) that say "not now": connection trouble, no resources,
// shutdown, statement time-out, lock time-out, a standby that cannot write.
const PG_UNAVAILABLE = /^(08...|53...|57P0[1-5]|57014|55P03|25006)$/;
const SYSTEM_UNAVAILABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
]);
// The drivers' own time-outs carry no code, only a sentence.
const DRIVER_UNAVAILABLE =
  /timeout exceeded when trying to connect|Connection terminated|Query read timeout|connection error and is not queryable|Connection is closed|Command timed out|Cannot use a pool after calling end/;
const MAX_CAUSES = 6;

export function toHttpError(error: unknown): HttpError {
  if (error instanceof DuetError) {
    const { status, code, message, details, retryAfterSec } = error;
    return { status, code, message, details, retryAfterSec, unexpected: status === 500 };
  }
  const code = isOutage(error) ? 'UNAVAILABLE' : 'INTERNAL_SERVER_ERROR';
  const { status, message } = ERRORS[code];
  const retryAfterSec = code === 'UNAVAILABLE' ? 1 : undefined;
  return { status, code, message, details: undefined, retryAfterSec, unexpected: true };
}

/** The contract's error body, as JSON. */
export function errorBody(error: HttpError, requestId: string): string {
  const { status, code, message, details } = error;
  return JSON.stringify(
    details === undefined
      ? { status, code, message, requestId }
      : { status, code, message, details, requestId },
  );
}

function isOutage(error: unknown): boolean {
  let at: unknown = error;
  for (let depth = 0; depth < MAX_CAUSES && at instanceof Error; depth++) {
    const code = 'code' in at ? at.code : undefined;
    if (typeof code === 'string' && (PG_UNAVAILABLE.test(code) || SYSTEM_UNAVAILABLE.has(code))) return true;
    if (DRIVER_UNAVAILABLE.test(at.message) || at.name === 'MaxRetriesPerRequestError') return true;
    // A connection that failed on every address of a name is an AggregateError without a cause.
    at = at instanceof AggregateError && at.cause === undefined ? at.errors[0] : at.cause;
  }
  return false;
}

/**
 * What the log may know of an error. The text of a database's error holds the values that it is about (and MikroORM's
 * the whole statement), so of those only the code and the place are told.
 */
export function describeError(error: unknown): {
  name: string;
  code?: string;
  message?: string;
  at?: string[];
} {
  if (!(error instanceof Error)) return { name: typeof error };
  const { name, message, stack = '' } = error;
  const at = stack
    .split('\n')
    .filter((line) => line.startsWith('    at '))
    .map((line) => line.trim());
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const isDatabase = (code !== undefined && /^[0-9A-Z]{5}$/.test(code)) || 'sql' in error || 'query' in error;
  return { name, code, message: isDatabase ? undefined : message, at };
}
