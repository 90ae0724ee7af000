import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { DuetError, ERRORS } from '../../../src/errors.ts';
import { describeError } from '../../../src/failure.ts';
import { errorBody, toHttpError } from '../../../src/http/toHttpError.ts';

const withCode = (code: string, message = 'secret text') => Object.assign(new Error(message), { code });

describe('toHttpError', () => {
  test('a refusal stays what it is', () => {
    for (const [code, { status, message }] of Object.entries(ERRORS)) {
      expect(toHttpError(new DuetError(code as keyof typeof ERRORS))).toMatchObject({
        code,
        status,
        message,
      });
    }
    expect(toHttpError(new DuetError('BUSY')).unexpected).toBe(false);
  });

  test.each([
    withCode('57P01'),
    withCode('57P03'),
    withCode('57014'),
    withCode('53300'),
    withCode('08006'),
    withCode('25006'),
    withCode('40001'),
    withCode('40P01'),
    withCode('ECONNREFUSED'),
    withCode('ECONNRESET'),
    new Error('timeout exceeded when trying to connect'),
    new Error('Connection terminated unexpectedly'),
    new Error('Query read timeout'),
    new Error('a driver says no', { cause: withCode('57P01') }),
    new Error('twice wrapped', { cause: new Error('once', { cause: withCode('ECONNREFUSED') }) }),
    new AggregateError([withCode('ECONNREFUSED'), withCode('ECONNREFUSED')]),
    Object.assign(new Error('x'), { name: 'MaxRetriesPerRequestError' }),
  ])('an outage is a 503 that asks to wait: %s', (error) => {
    expect(toHttpError(error)).toMatchObject({
      status: 503,
      code: 'UNAVAILABLE',
      retryAfterSec: 1,
      unexpected: true,
    });
  });

  test('what led to a row that is gone in this very moment conflicts, and the log is told', () => {
    expect(toHttpError(withCode('23503'))).toMatchObject({ status: 409, code: 'CONFLICT', unexpected: true });
  });

  test.each([
    new Error('secret'),
    withCode('23505'),
    withCode('42P01'),
    'a string',
    undefined,
    null,
    7,
    { status: 200 },
  ])('anything else is a 500 without a word of it: %s', (thrown) => {
    const error = toHttpError(thrown);
    expect(error).toMatchObject({ status: 500, code: 'INTERNAL_SERVER_ERROR', unexpected: true });
    expect(errorBody(error, 'r-1')).toBe(
      '{"status":500,"code":"INTERNAL_SERVER_ERROR","message":"Something went wrong.","requestId":"r-1"}',
    );
  });

  test('causes that go round in a circle end', () => {
    const error = new Error('a');
    error.cause = error;
    expect(toHttpError(error).status).toBe(500);
  });
});

describe('describeError', () => {
  test('keeps to itself where a connection led, not which file there is none of', async () => {
    const refused = await new Promise<Error>((done) => connect(1, '127.0.0.1').once('error', done));
    expect(describeError(refused)).toMatchObject({ code: 'ECONNREFUSED' });
    expect(JSON.stringify(describeError(refused))).not.toContain('127.0.0.1');
    const missing = await readFile('/no/such/file').catch((error: unknown) => error);
    expect(describeError(missing).message).toContain('/no/such/file');
    // As long as a database's code.
    expect(describeError(withCode('EPERM', 'open /here')).message).toBe('open /here');
    expect(describeError(withCode('EROFS', 'open /here')).message).toBe('open /here');
  });

  test('tells the text of a bug, and of a database error only its code and its place', () => {
    expect(describeError(new Error('a bug'))).toMatchObject({ name: 'Error', message: 'a bug' });
    const wrapped = new Error("insert into users values ('a@b.test')", {
      cause: withCode('23505', 'Key (email)=(a@b.test)'),
    });
    const description = describeError(wrapped);
    expect(JSON.stringify(description)).not.toContain('a@b.test');
    expect(description.causes).toEqual(['Error 23505']);
    expect(description.at?.length).toBeGreaterThan(0);
  });
});
