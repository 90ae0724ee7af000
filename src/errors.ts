/**
 * Every error that Duet tells a client, in one closed table: code, HTTP status, sentence.
 *
 * Inside, a refusal is a value or a `DuetError`; each door has one mapper that turns it into its own protocol
 * (`src/http` into a JSON body, `rooms` into `{ code, message }`). What is not a `DuetError` is a bug or an
 * outage and reaches the client as `INTERNAL_SERVER_ERROR` or `UNAVAILABLE`, never with its own text.
 */

export const ERRORS = {
  VALIDATION_FAILED: { status: 400, message: 'The request is not valid.' },
  INVALID_AGE_RANGE: { status: 400, message: 'The minimum age must not be above the maximum age.' },
  UNDERAGE: { status: 400, message: 'You must be at least 18 years old.' },
  UNAUTHORIZED: { status: 401, message: 'Sign in first.' },
  INVALID_CREDENTIALS: { status: 401, message: 'The address or the password is wrong.' },
  REFRESH_REUSED: { status: 401, message: 'This refresh token was used before. Sign in again.' },
  FORBIDDEN: { status: 403, message: 'You may not do this.' },
  EMAIL_UNVERIFIED: { status: 403, message: 'Verify your email address first.' },
  ACCOUNT_SUSPENDED: { status: 403, message: 'This account is suspended.' },
  CSRF_FAILED: { status: 403, message: 'The CSRF token is missing or wrong.' },
  NOT_FOUND: { status: 404, message: 'There is nothing here.' },
  METHOD_NOT_ALLOWED: { status: 405, message: 'This method is not allowed here.' },
  REQUEST_TIMEOUT: { status: 408, message: 'The request took too long to arrive.' },
  CONFLICT: { status: 409, message: 'This conflicts with the current state.' },
  MATCH_NOT_ACTIVE: { status: 409, message: 'This match is not active.' },
  CALL_NOT_ACTIVE: { status: 409, message: 'This call is not active.' },
  WRONG_PHASE: { status: 409, message: 'This is not possible in the current phase.' },
  BUSY: { status: 409, message: 'One of the two is in another call.' },
  EXTENSION_LIMIT: { status: 409, message: 'This call cannot be extended again.' },
  PAYLOAD_TOO_LARGE: { status: 413, message: 'The request is too large.' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, message: 'This media type is not supported here.' },
  TOO_MANY_REQUESTS: { status: 429, message: 'Too many requests. Try again later.' },
  INTERNAL_SERVER_ERROR: { status: 500, message: 'Something went wrong.' },
  UNAVAILABLE: { status: 503, message: 'Temporarily unavailable. Try again in a moment.' },
} as const;

export type ErrorCode = keyof typeof ERRORS;

/** One wrong field: where it is (`user.name`, or `` for the whole) and what is wrong with it. */
export type ErrorDetail = { path: string; message: string };

export class DuetError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly details: ErrorDetail[] | undefined;
  /** Seconds for the `Retry-After` header; set on 429 and 503. */
  readonly retryAfterSec: number | undefined;

  constructor(
    code: ErrorCode,
    options: { details?: ErrorDetail[]; retryAfterSec?: number; cause?: unknown } = {},
  ) {
    super(ERRORS[code].message, { cause: options.cause });
    this.name = 'DuetError';
    this.code = code;
    this.status = ERRORS[code].status;
    this.details = options.details;
    this.retryAfterSec = options.retryAfterSec ?? (code === 'UNAVAILABLE' ? 1 : undefined);
  }
}

/** What a pure rule answers instead of a new state. The door that asked turns it into an error of its protocol. */
export type Refusal = { refused: ErrorCode };

/** Whether a rule's answer is a refusal. */
export function isRefusal(value: object): value is Refusal {
  return 'refused' in value;
}
