/**
 * What may be known of a failure: whether it is an outage of something behind (try again), and what the log is told.
 */
import { DuetError, type ErrorCode } from './errors.ts';

// SQLSTATE classes and codes (PostgreSQL, appendix A) that say "not now": connection trouble, no resources,
// shutdown, statement time-out, lock time-out, a standby that cannot write, a transaction that was taken back whole
// because of others at the same rows (serialization failure, deadlock).
const PG_UNAVAILABLE = /^(08...|40001|40P01|53...|57P0[1-5]|57014|55P03|25006)$/;
/** A row that led to one which is gone: somebody was erased in this very moment. */
const PG_FOREIGN_KEY_VIOLATION = '23503';
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

/** What the log may know of an error. */
export type ErrorDescription = {
  name: string;
  code?: string;
  message?: string;
  at?: string[];
  causes?: string[];
};

/**
 * The text of a database's error holds the values that it is about (and MikroORM's the whole statement), that of a
 * connection where it led, so where one is involved only names, codes and places are told.
 */
export function describeError(error: unknown): ErrorDescription {
  if (!(error instanceof Error)) return { name: typeof error };
  const chain = causes(error);
  const places = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '));
  const description: ErrorDescription = { name: error.name, at: places.map((line) => line.trim()) };
  const code = codeOf(error);
  if (code !== undefined) description.code = code;
  if (!chain.some(tellsTooMuch)) description.message = error.message;
  if (chain.length > 1)
    description.causes = chain.slice(1).map((cause) => `${cause.name} ${codeOf(cause) ?? ''}`.trim());
  return description;
}

/** Whether an error says that the database, Redis, S3 or a worker cannot be reached just now. */
function isOutage(error: unknown): boolean {
  return causes(error).some((cause) => {
    const code = codeOf(cause);
    if (code !== undefined && (PG_UNAVAILABLE.test(code) || SYSTEM_UNAVAILABLE.has(code))) return true;
    return DRIVER_UNAVAILABLE.test(cause.message) || cause.name === 'MaxRetriesPerRequestError';
  });
}

/** What a client is told of whatever was thrown: a refusal as it is, else whether it had better try again. */
export function errorToTell(error: unknown): DuetError {
  return error instanceof DuetError ? error : new DuetError(codeToTell(error));
}

/** Its code, for who is told no more. */
export function codeToTell(error: unknown): ErrorCode {
  if (error instanceof DuetError) return error.code;
  if (isOutage(error)) return 'UNAVAILABLE';
  const isGone = causes(error).some((cause) => codeOf(cause) === PG_FOREIGN_KEY_VIOLATION);
  return isGone ? 'CONFLICT' : 'INTERNAL_SERVER_ERROR';
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

/** A database's errors hold values, those of connections hosts and ports. */
function tellsTooMuch(error: Error): boolean {
  const ofDatabase = SQLSTATE.test(codeOf(error) ?? '') || 'sql' in error || 'query' in error;
  return ofDatabase || ('syscall' in error && ('address' in error || 'hostname' in error));
}

/** Each holds a digit; EPERM and EROFS, which are not a database's, do not. */
const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/;
