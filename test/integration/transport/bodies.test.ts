import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRaw, rawHttp, requestText } from '../../support/rawHttp.ts';
import { openTestDoor, type TestDoor } from '../../support/testDoor.ts';
import { fakeRoutes } from './fakeRoutes.ts';

/** Bodies of the wrong kind, or not what they seem. */

const ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const json = { 'content-type': 'application/json' };
const signedIn = { authorization: 'Bearer user:U1' };
const slowlySignedIn = { authorization: 'Bearer slow:U1' };

let door: TestDoor;

beforeAll(async () => {
  door = await openTestDoor({ routes: fakeRoutes, config: { slowBodyMs: 1_500 } });
});
afterAll(() => door[Symbol.asyncDispose]());

async function send(method: string, path: string, headers: Record<string, string>, body: string) {
  const answer = await rawHttp(door.port, requestText(method, `/api/v1${path}`, headers, body));
  const value = answer.body === '' ? undefined : JSON.parse(answer.body);
  return { status: answer.status, code: value?.code, value, headers: answer.headers };
}

const echo = (body: string, headers: Record<string, string> = json) => send('POST', '/echo', headers, body);

/** Every route that takes JSON, as somebody who may call it. */
const writers = [
  ['POST', '/echo', {}],
  ['POST', `/people/${ID}/like`, signedIn],
  ['POST', `/people/${ID}/like`, slowlySignedIn],
  ['PUT', '/people/me', signedIn],
  ['PATCH', '/people/me', slowlySignedIn],
  ['DELETE', '/people/me', { authorization: 'Bearer admin:A1' }],
] as const;

describe('IN-09 bodies that are no JSON object', () => {
  const bodies = [
    '{a}',
    'null',
    '[]',
    '"x"',
    '1',
    'true',
    '{',
    '{"text":"a"',
    '{"text":"a"}x',
    "{'text':'a'}",
    '[{"text":"a"}]',
  ];
  test.each(bodies)('%s is a 400 wherever JSON is taken', async (body) => {
    for (const [method, path, headers] of writers) {
      const { status, code } = await send(method, path, { ...json, ...headers }, body);
      expect({ method, path, status, code }).toEqual({
        method,
        path,
        status: 400,
        code: 'VALIDATION_FAILED',
      });
    }
  });

  test('an empty one counts as {}', async () => {
    expect(await echo('')).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
    const chunked = { ...json, 'transfer-encoding': 'chunked' };
    expect((await rawHttp(door.port, requestText('POST', '/api/v1/echo', chunked, '0\r\n\r\n'))).status).toBe(
      400,
    );
    expect((await send('POST', `/people/${ID}/like`, signedIn, '')).status).toBe(204);
    expect((await send('PATCH', '/people/me', signedIn, '')).status).toBe(200);
  });

  test('bytes that are no UTF-8 are a 400', async () => {
    const head = requestText('POST', '/api/v1/echo', { ...json, 'content-length': '15' });
    const bytes = Buffer.concat([
      Buffer.from(`${head}{"text":"a`),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('b"}'),
    ]);
    expect((await rawHttp(door.port, bytes)).status).toBe(400);
  });

  test('who is not signed in hears that first', async () => {
    expect((await send('PUT', '/people/me', json, '{a}')).status).toBe(401);
    expect((await send('PUT', '/people/me', { 'content-type': 'text/plain' }, 'x')).status).toBe(401);
    expect((await send('DELETE', '/people/me', { ...signedIn, ...json }, '{a}')).status).toBe(403);
  });
});

describe('IN-12 keys that reach for a prototype', () => {
  const refused = [
    '{"text":"a","__proto__":{"role":"admin"}}',
    '{"text":"a","__proto__":null}',
    '{"text":"a","constructor":{"prototype":{"role":"admin"}}}',
    '{"text":{"__proto__":{"x":1}}}',
    '{"\\u005f\\u005fproto__":{"role":"admin"}}',
    '{"text":"a","hasOwnProperty":1}',
    '{"text":"a","toString":1}',
    '{"text":"a","then":1}',
    '{"text":"a","toJSON":1}',
    '{"text":"a","length":1}',
  ];
  test.each(refused)('%s is a 400 and pollutes nothing', async (body) => {
    expect(await echo(body)).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
    expect(({} as { role?: string }).role).toBeUndefined();
    expect(Object.hasOwn(Object.prototype, 'role')).toBe(false);
  });

  test('in the query as well', async () => {
    for (const name of ['__proto__', 'constructor', '__proto__[x]', 'toString', 'limit[$gt]']) {
      const answer = await rawHttp(door.port, requestText('GET', `/api/v1/people?${name}=1`));
      expect(answer.status).toBe(400);
    }
  });
});

describe('IN-13 text that cannot be kept', () => {
  test.each([
    '{"text":"a\\u0000b"}',
    '{"text":"a","note":"\\u0000"}',
    '{"te\\u0000xt":"a"}',
    '{"text":"\\ud800"}',
  ])('%s is a 400', async (body) => {
    expect(await echo(body)).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
  });

  test('in the query as well', async () => {
    expect((await rawHttp(door.port, requestText('GET', '/api/v1/people?cursor=a%00b'))).status).toBe(400);
  });

  test('other control characters and all planes of Unicode are text', async () => {
    const text = 'tab\t emoji \u{1f600} zwj \u200d rtl \u202e é';
    expect((await echo(JSON.stringify({ text }))).value).toEqual({ text });
  });
});

describe('IN-15 other content types', () => {
  const types = [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    'application/jsonx',
    'application/json; charset=utf-16',
    'application/json, text/plain',
    'application/json;a=b',
    'xapplication/json',
    'application/vnd.api+json',
    '',
  ];
  test.each(types)('"%s" is a 415', async (type) => {
    for (const [method, path, headers] of writers) {
      const answer = await send(method, path, { 'content-type': type, ...headers }, '{"text":"a"}');
      expect(answer).toMatchObject({ status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' });
    }
  });

  test('what is packed is a 415: nothing here unpacks it', async () => {
    for (const coding of ['gzip', 'br', 'identity, deflate']) {
      for (const [method, path, headers] of writers) {
        const packed = { 'content-type': 'application/json', 'content-encoding': coding, ...headers };
        const answer = await send(method, path, packed, '{"text":"a"}');
        expect(answer).toMatchObject({ status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' });
      }
    }
    const plain = { 'content-type': 'application/json', 'content-encoding': 'Identity' };
    expect((await echo('{"text":"a"}', plain)).status).toBe(200);
  });

  test('none at all is a 415', async () => {
    expect((await echo('{"text":"a"}', {})).status).toBe(415);
  });

  test('JSON in UTF-8 is read, however it is spelt', async () => {
    for (const type of [
      'application/json',
      'application/json; charset=utf-8',
      'Application/JSON;charset="UTF-8"',
    ]) {
      expect((await echo('{"text":"a"}', { 'content-type': type })).status).toBe(200);
    }
  });

  test('an upload of another type is a 415, one of its types arrives byte by byte', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
    const upload = (type: string, headers: Record<string, string>) =>
      fetch(`${door.url}/api/v1/photos`, {
        method: 'POST',
        body: bytes,
        headers: { ...headers, 'content-type': type },
      });
    for (const type of ['image/svg+xml', 'application/json', 'multipart/form-data; boundary=x']) {
      expect((await upload(type, signedIn)).status).toBe(415);
    }
    for (const headers of [signedIn, slowlySignedIn]) {
      const response = await upload('image/jpeg', headers);
      expect(response.status).toBe(201);
      const sum = bytes.reduce((total, byte) => (total + byte) % 65_521, 0);
      expect(await response.json()).toEqual({ bytes: bytes.length, type: 'image/jpeg', sum });
    }
    expect((await upload('image/jpeg', {})).status).toBe(401);
  });

  test('an upload beyond its cap is a 413', async () => {
    const headers = { ...signedIn, 'content-type': 'image/jpeg', 'transfer-encoding': 'chunked' };
    const connection = await openRaw(door.port);
    connection.send(requestText('POST', '/api/v1/photos', headers));
    for (let i = 0; i < 20; i++) connection.send(`10000\r\n${'x'.repeat(0x10000)}\r\n`);
    expect((await connection.answers(1))[0]?.status).toBe(413);
    connection.destroy();
  });
});

describe('IN-17 and IN-37 numbers', () => {
  test.each([
    'limit=1&limit=2',
    'limit=-1',
    'limit=1e9',
    'limit=NaN',
    'limit=',
    'limit=1.5',
    'sort=id;drop',
    'page=1&page=2',
  ])('?%s is a 400', async (query) => {
    const answer = await rawHttp(door.port, requestText('GET', `/api/v1/people?${query}`));
    expect(JSON.parse(answer.body).code).toBe('VALIDATION_FAILED');
    expect(answer.status).toBe(400);
  });

  test.each(['1e400', '-1e400', '{"deep":[1e999]}'])('%s is a 400 in any field', async (value) => {
    expect((await echo(`{"text":${value}}`)).status).toBe(400);
  });

  test('nesting beyond reason is a 400', async () => {
    expect((await echo(`{"text":${'['.repeat(20_000)}${']'.repeat(20_000)}}`)).status).toBe(400);
    expect((await echo(`{"text":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`)).status).toBe(400);
  });
});
