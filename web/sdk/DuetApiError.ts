/** One wrong field of a request: where it is and what is wrong with it. */
export type ErrorDetail = { path: string; message: string };

/** By code, for a room's refusal has no status. */
const TEMPORARY: ReadonlySet<string> = new Set([
  'NETWORK',
  'REQUEST_TIMEOUT',
  'TOO_MANY_REQUESTS',
  'INTERNAL_SERVER_ERROR',
  'UNAVAILABLE',
]);

type Body = Partial<Record<'code' | 'message' | 'details' | 'requestId' | 'retryAfterSec', unknown>>;

/**
 * Every refusal, whichever door it came through.
 *
 * - `status`: the HTTP status; 0 for a refusal by a room and for a network that gave no answer.
 * - `code`: one of the contract's codes, or `NETWORK` when there was no answer at all.
 * - `retryAfterSec`: how long to wait, where the server said so.
 */
export class DuetApiError extends Error {
  override readonly name = 'DuetApiError';
  readonly status: number;
  readonly code: string;
  readonly details: ErrorDetail[];
  readonly requestId: string | undefined;
  readonly retryAfterSec: number | undefined;

  constructor(status: number, body: Body, retryAfterSec?: number) {
    super(typeof body.message === 'string' ? body.message : 'Something went wrong.');
    this.status = status;
    this.code = typeof body.code === 'string' ? body.code : 'INTERNAL_SERVER_ERROR';
    this.details = Array.isArray(body.details) ? body.details : [];
    this.requestId = typeof body.requestId === 'string' ? body.requestId : undefined;
    this.retryAfterSec = retryAfterSec;
  }

  /** Whether asking again later can help: the network, a time-out, a limit, an outage. */
  get isTemporary(): boolean {
    return TEMPORARY.has(this.code);
  }

  /** No answer came at all. */
  static network(): DuetApiError {
    return new DuetApiError(0, { code: 'NETWORK', message: 'The server cannot be reached right now.' });
  }

  /** Of an error that `room.request` rejected with: what it says is the error's `reason`. */
  static fromRoom(error: unknown): DuetApiError {
    if (error instanceof DuetApiError) return error;
    if (error instanceof Error && 'reason' in error && isBody(error.reason)) {
      const { retryAfterSec } = error.reason;
      return new DuetApiError(0, error.reason, typeof retryAfterSec === 'number' ? retryAfterSec : undefined);
    }
    return DuetApiError.network();
  }
}

function isBody(value: unknown): value is Body {
  return typeof value === 'object' && value !== null;
}
