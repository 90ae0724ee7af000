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

/** What the log may know of an error. */
export type ErrorDescription = {
  name: string;
  code?: string;
  message?: string;
  at?: string[];
  causes?: string[];
};

/**
 * The text of a database's error holds the values that it is about (and MikroORM's the whole statement), so where
 * one is involved only names, codes and places are told.
 */
export function describeError(error: unknown): ErrorDescription {
  if (!(error instanceof Error)) return { name: typeof error };
  const chain = causes(error);
  const places = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '));
  const description: ErrorDescription = { name: error.name, at: places.map((line) => line.trim()) };
  const code = codeOf(error);
  if (code !== undefined) description.code = code;
  if (!chain.some(isFromDatabase)) description.message = error.message;
  if (chain.length > 1)
    description.causes = chain.slice(1).map((cause) => `${cause.name} ${codeOf(cause) ?? ''}`.trim());
  return description;
}

function isOutage(error: unknown): boolean {
  return causes(error).some((cause) => {
    const code = codeOf(cause);
    if (code !== undefined && (PG_UNAVAILABLE.test(code) || SYSTEM_UNAVAILABLE.has(code))) return true;
    return DRIVER_UNAVAILABLE.test(cause.message) || cause.name === 'MaxRetriesPerRequestError';
  });
}

/** The error and what caused it, outermost first. */
function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  let at: unknown = error;
  while (at instanceof Error && chain.length < MAX_CAUSES) {
    chain.push(at);
    // A connection that failed on every address of a name is an AggregateError without a cause.
    at = at instanceof AggregateError && at.cause === undefined ? at.errors[0] : at.cause;
  }
  return chain;
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function isFromDatabase(error: Error): boolean {
  return SQLSTATE.test(codeOf(error) ?? '') || 'sql' in error || 'query' in error;
}

const SQLSTATE = /^[0-9A-Z]{5}$/;
