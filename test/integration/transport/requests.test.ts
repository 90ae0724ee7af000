import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { openRaw, rawHttp, requestText } from '../../support/rawHttp.ts';
import { ALLOWED_ORIGIN, openTestDoor, type TestDoor } from '../../support/testDoor.ts';
import { fakeRoutes, LARGE } from './fakeRoutes.ts';

/** Lines, headers and paths that no client library would send. */

const ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

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

describe('IN-36 one object twice', () => {
  test('is written out twice', async () => {
    expect(JSON.parse((await get('/twice')).body)).toEqual({ from: { city: 'Lyon' }, to: { city: 'Lyon' } });
  });
});

describe('IN-38 origins', () => {
  const verbs = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
  const strangers = [
    'https://evil.example',
    'null',
    `${ALLOWED_ORIGIN}.evil.example`,
    ALLOWED_ORIGIN.toUpperCase(),
    '*',
    'file://',
  ];
  test.each(strangers)('%s is never given leave', async (origin) => {
    for (const method of verbs) {
      for (const path of ['/api/v1/ping', '/api/v1/people/me', '/api/v1/echo', '/nothing']) {
        const headers = { origin, 'access-control-request-method': 'POST' };
        const answer = await rawHttp(door.port, requestText(method, path, headers), {
          isHead: method === 'HEAD',
        });
        const names = Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'));
        expect(names).toEqual([]);
      }
    }
  });

  test('a page of ours is, and the preflight says what it may do', async () => {
    const answer = await get('/ping', { origin: ALLOWED_ORIGIN });
    expect(answer.headers['access-control-allow-origin']).toBe(ALLOWED_ORIGIN);
    expect(answer.headers.vary).toBe('origin');
    const refused = await get('/whoami', { origin: ALLOWED_ORIGIN });
    expect(refused.status).toBe(401);
    expect(refused.headers['access-control-allow-origin']).toBe(ALLOWED_ORIGIN);
    const headers = { origin: ALLOWED_ORIGIN, 'access-control-request-method': 'PUT' };
    const preflight = await rawHttp(door.port, requestText('OPTIONS', '/api/v1/people/me', headers));
    expect(preflight.status).toBe(204);
    expect(preflight.headers['access-control-allow-methods']).toContain('PUT');
    expect(preflight.headers['access-control-allow-headers']).toContain('authorization');
  });
});

describe('IN-41 HEAD, bodies on GET, pipelining', () => {
  test('HEAD has the headers of GET and no body', async () => {
    const answer = await rawHttp(door.port, requestText('HEAD', '/api/v1/ping'), { isHead: true });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-length']).toBe('11');
    const connection = await openRaw(door.port);
    connection.send(requestText('HEAD', '/api/v1/later'));
    const [later] = await connection.answers(1, { isHead: true });
    expect(later?.headers['content-length']).toBe('11');
    connection.send(requestText('GET', '/api/v1/ping'));
    expect((await connection.answers(1))[0]?.body).toBe('{"ok":true}');
    connection.destroy();
  });

  test('a body on GET is read over', async () => {
    const connection = await openRaw(door.port);
    for (const path of ['/api/v1/ping', '/api/v1/later']) {
      connection.send(requestText('GET', path, {}, 'GET /api/v1/broken/sync HTTP/1.1'));
      expect((await connection.answers(1))[0]?.status).toBe(200);
    }
    connection.destroy();
  });

  test('100 requests in one write get 100 answers in order', async () => {
    const connection = await openRaw(door.port);
    const texts = Array.from({ length: 100 }, (_, i) => requestText('GET', `/api/v1/people?limit=${i + 1}`));
    connection.send(texts.join(''));
    const answers = await connection.answers(100);
    expect(answers.map((answer) => JSON.parse(answer.body).limit)).toEqual(texts.map((_, i) => i + 1));
    connection.destroy();
  });

  test('100 requests in one write to what answers later do not hang', async () => {
    const connection = await openRaw(door.port);
    connection.send(requestText('GET', '/api/v1/later').repeat(100));
    // uWebSockets.js does not hold back a second request while the first is under way: it closes (RFC 9112 section
    // 9.3.2 lets it, and has clients ask again).
    expect(await connection.closed()).toBe(true);
    await expectAlive();
  });

  test('an answer larger than the socket takes at once arrives whole', async () => {
    const response = await fetch(`${door.url}/api/v1/large`);
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(bytes.equals(LARGE)).toBe(true);
  });
});

describe('every answer', () => {
  test('names its request by an id of ours and says nothing of the server', async () => {
    for (const path of ['/ping', '/nothing', '/broken/sync', '/whoami']) {
      const answer = await get(path, { 'x-request-id': 'mine' });
      expect(answer.headers['x-request-id']).toMatch(UUID_V7);
      expect(answer.headers['x-content-type-options']).toBe('nosniff');
      expect(answer.headers['referrer-policy']).toBe('no-referrer');
      expect(answer.headers['cache-control']).toBe('no-store');
      expect(answer.headers['strict-transport-security']).toBeUndefined();
      const banners = Object.keys(answer.headers).filter((name) => /uwebsockets|server|powered/.test(name));
      expect(banners).toEqual([]);
    }
  });

  test('insists on https where that is configured', async () => {
    await using secure = await openTestDoor({ routes: fakeRoutes, config: { hsts: true } });
    const answer = await rawHttp(secure.port, requestText('GET', '/nothing'));
    expect(answer.headers['strict-transport-security']).toMatch(/^max-age=\d+/);
  });

  test('is counted under its route, never under its URL', async () => {
    door.observed.length = 0;
    await get(`/people/${ID}?limit=1`);
    await get('/nothing');
    expect(door.observed.map(({ route, status }) => `${route} ${status}`)).toEqual([
      'GET /api/v1/people/:personId 200',
      'unmatched 404',
    ]);
  });
});

const upgradeHeaders = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-version': '13',
};
