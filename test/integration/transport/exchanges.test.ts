import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRaw, rawHttp, requestText } from '../../support/rawHttp.ts';
import { ALLOWED_ORIGIN, openTestDoor, type TestDoor } from '../../support/testDoor.ts';
import { fakeRoutes, LARGE } from './fakeRoutes.ts';

/** What belongs to an answer besides its body, and how answers share a connection. */

const ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let door: TestDoor;

beforeAll(async () => {
  door = await openTestDoor({ routes: fakeRoutes });
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
        // What was kept of this answer must not be shown to a page that is one of ours.
        expect(answer.headers.vary).toContain('origin');
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
