import { expect, test } from 'vitest';
import { ERRORS } from '../../../src/errors.ts';
import { messageOf } from '../../../web/page/store/toasts.ts';
import { DuetApiError } from '../../../web/sdk/DuetApiError.ts';

const said = (code: string, retryAfterSec?: number, details?: object[]) =>
  messageOf(
    new DuetApiError(
      0,
      { code, message: ERRORS[code as keyof typeof ERRORS].message, details },
      retryAfterSec,
    ),
  );

test('what a person meets is said in their words, not in those of the state chart', () => {
  // Answered, ended or left meanwhile: by the other, or on another device.
  for (const code of ['CALL_NOT_ACTIVE', 'WRONG_PHASE', 'MATCH_NOT_ACTIVE', 'NOT_FOUND'])
    expect(said(code)).not.toMatch(/phase|active|nothing here/i);
  expect(said('BUSY')).toMatch(/busy/);
});

test('a limit says when it is over, and a wrong field which one it is', () => {
  expect(said('TOO_MANY_REQUESTS', 840)).toContain('14 minutes');
  expect(said('TOO_MANY_REQUESTS')).toContain('shortly');
  expect(said('VALIDATION_FAILED', undefined, [{ path: 'displayName', message: 'is too long' }])).toBe(
    'Display name is too long.',
  );
});

test('everything else is said as the server says it', () => {
  for (const code of ['EMAIL_UNVERIFIED', 'ACCOUNT_SUSPENDED', 'UNAVAILABLE', 'EXTENSION_LIMIT'] as const)
    expect(said(code)).toBe(ERRORS[code].message);
});
