/** How a socket that may not be had is refused: before its upgrade, as an answer; after it, as a refused join. */
import type { HttpResponse } from 'uWebSockets.js';
import { ErrorCode, ServerError } from '@colyseus/core';
import { DuetError, type ErrorCode as DuetErrorCode, ERRORS } from '../errors.ts';
import { codeToTell } from '../failure.ts';
import { newId } from '../ids.ts';

const REASONS: Partial<Record<DuetErrorCode, string>> = {
  NOT_FOUND: 'Not Found',
  FORBIDDEN: 'Forbidden',
  TOO_MANY_REQUESTS: 'Too Many Requests',
};
/** By then sockets that have gone without a word are found out. */
const RETRY_AFTER_SEC = '60';

/** What a client is told of a failed join; `undefined` for what is no refusal but a failure. */
export function joinRefusal(error: unknown): { code: number; message: string } | undefined {
  if (error instanceof DuetError) return { code: error.status, message: error.code };
  if (error instanceof ServerError)
    return { code: error.code ?? ErrorCode.MATCHMAKE_UNHANDLED, message: error.message };
  return error instanceof Error && error.cause instanceof DuetError ? joinRefusal(error.cause) : undefined;
}

/** What a client is told of a failure, and whether it had better try again. */
export function joinFailure(error: unknown): { code: number; message: string } {
  const message = codeToTell(error);
  return { code: ERRORS[message].status, message };
}

/** Answers an upgrade that is not granted. */
export function refuse(res: HttpResponse, code: DuetErrorCode): void {
  const requestId = newId();
  const { status, message } = ERRORS[code];
  res.writeStatus(`${status} ${REASONS[code] ?? ''}`);
  res.writeHeader('content-type', 'application/json');
  if (code === 'TOO_MANY_REQUESTS') res.writeHeader('retry-after', RETRY_AFTER_SEC);
  res.writeHeader('cache-control', 'no-store');
  res.writeHeader('x-content-type-options', 'nosniff');
  res.writeHeader('x-request-id', requestId);
  const body = JSON.stringify({ status, code, message, requestId });
  // Whoever does not read what they are told asks for no other socket on this connection.
  const [, isSent] = res.tryEnd(body, Buffer.byteLength(body));
  if (!isSent) res.close();
}
