import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { DuetError } from '../../../src/errors.ts';
import { isJsonType, mediaType, parseJsonBody } from '../../../src/http/body.ts';
import { PathTable } from '../../../src/http/PathTable.ts';
import { parseQuery, validate } from '../../../src/http/validate.ts';

function refusal(run: () => unknown): DuetError {
  try {
    run();
  } catch (error) {
    if (error instanceof DuetError) return error;
    throw error;
  }
  throw new Error('Nothing was refused.');
}

const parse = (text: string) => parseJsonBody(Buffer.from(text));

describe('parseJsonBody', () => {
  test('reads an object as it is, and nothing as an empty one', () => {
    expect(parse('{"a":[1,{"b":null}],"c":"\\u00e9\\n","d":-0.5}')).toEqual({
      a: [1, { b: null }],
      c: 'é\n',
      d: -0.5,
    });
    expect(parse('')).toEqual({});
  });

  test('says where a hostile value stands', () => {
    expect(refusal(() => parse('{"a":[1,{"b":"\\u0000"}]}')).details).toEqual([
      { path: 'a[1].b', message: 'must not hold NUL or unpaired surrogates' },
    ]);
    expect(refusal(() => parse('{"a":{"__proto__":1}}')).details?.[0]?.path).toBe('a');
    expect(refusal(() => parse('{"a":1e999}')).details?.[0]?.message).toBe('must be a finite number');
    for (const text of ['-0', '-0.0', '-0e5'])
      expect(refusal(() => parse(`{"a":[${text}]}`)).details).toEqual([
        { path: 'a[0]', message: 'must not be -0' },
      ]);
    expect(parse('{"a":[0,-1]}')).toEqual({ a: [0, -1] });
  });

  test('gives back no more of a key than helps', () => {
    const body = `{"${'k'.repeat(1_000)}":"\\u0000"}`;
    expect(refusal(() => parse(body)).details?.[0]?.path.length).toBeLessThanOrEqual(100);
  });

  test('stops at a depth', () => {
    const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
    expect(parse(nested(32))).toBeTypeOf('object');
    expect(refusal(() => parse(nested(33))).code).toBe('VALIDATION_FAILED');
  });
});

describe('content types', () => {
  test.each([
    'application/json',
    'application/json;',
    'application/json; charset=utf-8',
    'APPLICATION/JSON; charset="UTF-8"',
  ])('%s is JSON', (type) => expect(isJsonType(type)).toBe(true));
  test.each([
    '',
    'text/json',
    'application/jsonx',
    'application/json-patch+json',
    'application/json; charset=latin1',
    'application/json\n',
  ])('%j is not', (type) => expect(isJsonType(type)).toBe(false));
  test('a media type is compared without case and parameters', () => {
    expect(mediaType('Image/JPEG; q=1')).toBe('image/jpeg');
  });
});

describe('parseQuery', () => {
  test('decodes, and refuses a second value', () => {
    expect({ ...parseQuery('a=1&b=%C3%A9+x') }).toEqual({ a: '1', b: 'é x' });
    expect(refusal(() => parseQuery('a=1&a=1')).details).toEqual([{ path: 'a', message: 'is given twice' }]);
    expect(refusal(() => parseQuery('a=%00')).code).toBe('VALIDATION_FAILED');
  });

  test('knows no parameter that was not given', () => {
    expect('constructor' in parseQuery('a=1')).toBe(false);
  });
});

describe('validate', () => {
  test('lists what is wrong, where, within bounds', () => {
    const schema = z.strictObject({ list: z.array(z.strictObject({ n: z.number() })) });
    const error = refusal(() => validate(schema, { list: [{ n: 1 }, { n: 'x' }] }));
    expect(error.status).toBe(400);
    expect(error.details?.map((detail) => detail.path)).toEqual(['list[1].n']);
    const many = refusal(() => validate(schema, { list: Array.from({ length: 500 }, () => ({ n: 'x' })) }));
    expect(many.details).toHaveLength(20);
    const echo = refusal(() => validate(schema, { list: [], ['x'.repeat(5_000)]: 1 }));
    expect(echo.details?.every((detail) => detail.message.length <= 200)).toBe(true);
  });
});

describe('PathTable', () => {
  const table = new PathTable();
  table.add('/calls/:callId', 'GET');
  table.add('/calls/:callId', 'HEAD');
  table.add('/calls/ice-servers', 'GET');
  table.add('/calls/:callId/end', 'POST');

  test.each([
    ['/calls/1', ['GET', 'HEAD']],
    ['/calls/ice-servers', ['GET', 'HEAD']],
    ['/calls/1/end', ['POST']],
    ['/calls/', []],
    ['/calls', []],
    ['/Calls/1', []],
    ['/calls/1/end/', []],
    ['//calls/1', []],
    ['', []],
    ['*', []],
  ])('%s has %j', (url, methods) => {
    expect(table.methodsOf(url)).toEqual(methods);
  });
});
