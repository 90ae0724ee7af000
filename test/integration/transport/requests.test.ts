import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { openRaw, rawHttp, requestText } from '../../support/rawHttp.ts';
import { openTestDoor, type TestDoor } from '../../support/testDoor.ts';
import { fakeRoutes } from './fakeRoutes.ts';

/** Lines, headers and paths that no client library would send. */

const ID = '01890a5d-ac96-774b-bcce-b302099a8057';

let door: TestDoor;
let connections = 0;

beforeAll(async () => {
  door = await openTestDoor({ routes: fakeRoutes });
  const { app } = door.transport;
  const count: Parameters<typeof app.filter>[0] = (_, change) => {
    connections += Number(change);
  };
  app.filter(count);
});
afterAll(() => door[Symbol.asyncDispose]());

function get(path: string, headers?: Record<string, string>) {
  return rawHttp(door.port, requestText('GET', `/api/v1${path}`, headers));
}

async function expectAlive() {
  const answer = await get('/ping');
  expect(answer.status).toBe(200);
  expect(answer.body).toBe('{"ok":true}');
}

function expectError(
  answer: { status: number; headers: Record<string, string>; body: string },
  status: number,
  code: string,
) {
  const body = JSON.parse(answer.body);
  expect({ status: answer.status, inBody: body.status, code: body.code }).toEqual({
    status,
    inBody: status,
    code,
  });
  expect(Object.keys(body).filter((key) => key !== 'details')).toEqual([
    'status',
    'code',
    'message',
    'requestId',
  ]);
  expect(body.requestId).toBe(answer.headers['x-request-id']);
  expect(answer.headers['content-type']).toBe('application/json');
}

describe('IN-01 hostile Host', () => {
  const hosts = ['a b', 'x:99999', '[::1', 'h'.repeat(2_000), '%00', '\u00e9', 'a,b', '@', 'x/../y'];
  test.each(hosts)('Host: %s is served or a 400', async (host) => {
    const answer = await rawHttp(door.port, `GET /api/v1/ping HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    expect([200, 400]).toContain(answer.status);
    await expectAlive();
  });

  test('no Host, a Host of 8 KB', async () => {
    const missing = await rawHttp(door.port, 'GET /api/v1/ping HTTP/1.1\r\n\r\n');
    expect(missing.status).toBe(400);
    const huge = await rawHttp(door.port, `GET /api/v1/ping HTTP/1.1\r\nHost: ${'h'.repeat(8192)}\r\n\r\n`);
    expect([200, 400, 431]).toContain(huge.status);
    await expectAlive();
  });

  test('on a socket upgrade', async () => {
    for (const host of hosts) {
      const text = requestText('GET', '/process/room?sessionId=abc', { host, ...upgradeHeaders });
      const connection = await openRaw(door.port);
      connection.send(text);
      await connection.answers(1);
      connection.destroy();
    }
    await expectAlive();
  });
});

describe('IN-02 hostile Referer', () => {
  test.each(['not a url', 'http://[::1', 'http://a b', '\u0001x', '\u00ff'])(
    'Referer: %s',
    async (referer) => {
      const answer = await get('/ping', { referer });
      expect([200, 400]).toContain(answer.status);
      await expectAlive();
    },
  );

  test('every header with bytes that make no text', async () => {
    for (const name of [
      'origin',
      'user-agent',
      'cookie',
      'authorization',
      'x-forwarded-for',
      'accept',
      'x-device-id',
    ]) {
      const answer = await get('/whoami', { [name]: '\u00ff\u00fe\u0080' });
      expect(answer.status).toBe(401);
    }
    await expectAlive();
  });
});

describe('IN-03 unknown paths and methods', () => {
  test('an unknown path is a 404 under every method', async () => {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'BREW']) {
      for (const path of [
        '/',
        '/nothing',
        '/api/v1',
        '/api/v1/',
        '/api/v1/nothing',
        '/matchmake/create/call',
        '/matchmake',
      ]) {
        const answer = await rawHttp(door.port, requestText(method, path));
        expectError(answer, 404, 'NOT_FOUND');
      }
    }
  });

  test('a path with a parameter that does not fit is a 404, whatever body comes', async () => {
    const path = '/api/v1/people/nobody/like';
    const headers = { authorization: 'Bearer user:U7', 'content-type': 'application/json' };
    for (const body of ['{}', '{"text":1}', '{'])
      expectError(await rawHttp(door.port, requestText('POST', path, headers, body)), 404, 'NOT_FOUND');
    expectError(
      await rawHttp(door.port, requestText('POST', path, { ...headers, 'content-type': 'text/csv' }, 'a,b')),
      404,
      'NOT_FOUND',
    );
  });

  test('matchmaking over HTTP creates and joins nothing', async () => {
    for (const verb of ['create', 'join', 'joinOrCreate', 'joinById', 'reconnect']) {
      const headers = { 'content-type': 'application/json' };
      const answer = await rawHttp(door.port, requestText('POST', `/matchmake/${verb}/call`, headers, '{}'));
      expectError(answer, 404, 'NOT_FOUND');
    }
  });

  test('a known path is a 405 under another method, with the ones it has', async () => {
    for (const method of ['POST', 'DELETE', 'TRACE', 'BREW', 'CONNECT']) {
      const answer = await rawHttp(door.port, requestText(method, '/api/v1/ping'));
      expectError(answer, 405, 'METHOD_NOT_ALLOWED');
      expect(answer.headers.allow).toBe('GET, HEAD, OPTIONS');
    }
    const several = await rawHttp(door.port, requestText('POST', '/api/v1/people/me'));
    expectError(several, 405, 'METHOD_NOT_ALLOWED');
    expect(several.headers.allow).toBe('DELETE, GET, HEAD, PATCH, PUT, OPTIONS');
  });

  test('OPTIONS *, CONNECT to an authority, and lines that are no HTTP are answered or closed', async () => {
    for (const line of [
      'OPTIONS * HTTP/1.1',
      'CONNECT a:80 HTTP/1.1',
      'GET / HTTP/1.0',
      'hello world',
      'GET http://x/ HTTP/1.1',
    ]) {
      const connection = await openRaw(door.port);
      connection.send(`${line}\r\nHost: x\r\n\r\n`);
      const [answer] = await connection.answers(1);
      expect(answer?.status ?? 0).toBeGreaterThanOrEqual(400);
      connection.destroy();
    }
    await expectAlive();
  });

  test('no socket stays behind', async () => {
    // The sockets of the tests before this one are on their way out.
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = connections;
    const open = await Promise.all(Array.from({ length: 50 }, () => openRaw(door.port)));
    for (const [i, connection] of open.entries()) {
      connection.send(
        requestText(['GET', 'TRACE', 'OPTIONS', 'POST'][i % 4]!, i % 2 === 0 ? '/nothing' : '/api/v1/ping'),
      );
    }
    for (const connection of open) expect(await connection.answers(1)).toHaveLength(1);
    expect(connections).toBeGreaterThanOrEqual(50);
    for (const connection of open) connection.destroy();
    await eventually(() => connections).toBe(before);
  });
});

describe('IN-35 paths are taken as they are written', () => {
  const paths = [
    '/api/v1/p%69ng',
    '/api/v1/%70ing',
    '/api/v1%2Fping',
    '/api%2fv1/ping',
    '//api/v1/ping',
    '/api//v1/ping',
    '/api/v1/./ping',
    '/api/v1/people/../ping',
    '/api/v1/ping/',
    '/api/v1/ping%00',
    '/api/v1/ping;x=1',
    '/API/v1/ping',
    '/api/v1/Ping',
    '/api/v1/people/%6de',
    '/api/v1/people/%256de',
    `/api/v1/people/${ID}%2Fx`,
    `/api/v1/people/${ID.toUpperCase()}`,
    `/api/v1/people/${ID}%00`,
    '/api/v1/people/',
    '/api/v1/people/constructor',
    '/api/v1/people/__proto__',
    '\\api\\v1\\ping',
  ];
  test.each(paths)('%s is a 404', async (path) => {
    const answer = await rawHttp(door.port, requestText('GET', path));
    expect([400, 404, 505]).toContain(answer.status);
    if (answer.headers['x-request-id'] !== undefined) expectError(answer, 404, 'NOT_FOUND');
  });

  test('the id itself is found', async () => {
    expect((await get(`/people/${ID}`)).status).toBe(200);
  });
});

const upgradeHeaders = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-version': '13',
};
