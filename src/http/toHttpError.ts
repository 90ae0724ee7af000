import type { ErrorCode, ErrorDetail } from '../errors.ts';
import { DuetError } from '../errors.ts';
import { errorToTell } from '../failure.ts';

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

export function toHttpError(error: unknown): HttpError {
  const { status, code, message, details, retryAfterSec } = errorToTell(error);
  const unexpected = status === 500 || !(error instanceof DuetError);
  return { status, code, message, details, retryAfterSec, unexpected };
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
