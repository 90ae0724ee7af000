import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { DuetError } from '../../../src/errors.ts';
import { route } from '../../../src/http/route.ts';
import { eventually } from '../../support/eventually.ts';
import { openRaw, rawHttp, requestText } from '../../support/rawHttp.ts';
import { openTestDoor, type TestDoor } from '../../support/testDoor.ts';
import { fakeRoutes } from './fakeRoutes.ts';

/** What comes back: errors, requesters, allowances, addresses. */

const ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const counted: { limit: string; userId: string | undefined; address: string }[] = [];
let refusal: DuetError | undefined;
let door: TestDoor;

beforeAll(async () => {
  door = await openTestDoor({
    routes: fakeRoutes,
    config: { trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'] },
    ports: {
      limit: async (limit, requester) => {
        counted.push({ limit, userId: requester.userId, address: requester.address });
        if (refusal !== undefined) throw refusal;
      },
    },
  });
});
afterEach(() => {
  counted.length = 0;
  refusal = undefined;
  door.log.lines.length = 0;
});
afterAll(() => door[Symbol.asyncDispose]());

async function get(path: string, headers: Record<string, string> = {}) {
  const answer = await rawHttp(door.port, requestText('GET', `/api/v1${path}`, headers));
  return { ...answer, value: JSON.parse(answer.body) };
}

describe('errors', () => {
  test.each([
    ['sync', 500, 'INTERNAL_SERVER_ERROR'],
    ['async', 500, 'INTERNAL_SERVER_ERROR'],
    ['circle', 500, 'INTERNAL_SERVER_ERROR'],
    ['header', 500, 'INTERNAL_SERVER_ERROR'],
    ['database', 503, 'UNAVAILABLE'],
    ['refused', 429, 'TOO_MANY_REQUESTS'],
  ])('%s: %i %s and not a word more', async (how, status, code) => {
    const answer = await get(`/broken/${how}`);
    expect(answer.status).toBe(status);
    expect(Object.keys(answer.value)).toEqual(['status', 'code', 'message', 'requestId']);
    expect(answer.value).toMatchObject({ status, code, requestId: answer.headers['x-request-id'] });
    expect(answer.body).not.toMatch(/secret|insert|duet\.test|node_modules|\.ts|stack/);
    expect(answer.headers['set-cookie']).toBeUndefined();
  });

  test('what is our fault is logged with the request, its route and its place', async () => {
    const { value } = await get('/broken/async');
    expect(door.log.lines).toHaveLength(1);
    expect(door.log.lines[0]).toMatchObject({
      level: 'error',
      fields: {
        requestId: value.requestId,
        route: 'GET /api/v1/broken/:how',
        error: { message: 'secret of the async handler' },
      },
    });
  });

  test('the text of a database error, which holds values, is not', async () => {
    await get('/broken/database');
    expect(door.log.lines).toHaveLength(1);
    expect(JSON.stringify(door.log.lines)).not.toContain('secret@duet.test');
  });

  test('what is nobody’s fault is not logged', async () => {
    await get('/broken/refused');
    await get('/nothing');
    await get('/whoami');
    expect(door.log.lines).toEqual([]);
  });

  test('a wait is told in whole seconds, never too short', async () => {
    expect((await get('/broken/refused')).headers['retry-after']).toBe('3');
    expect((await get('/broken/database')).headers['retry-after']).toBe('1');
  });

  test('an answer that differs from its declaration is a 500 where answers are checked', async () => {
    const leaky = route({
      method: 'get',
      path: '/leak',
      summary: 'Says too much.',
      tags: ['test'],
      who: 'anyone',
      limit: 'none',
      status: 200,
      out: z.strictObject({ id: z.string() }),
      run: () => ({ id: 'x', email: 'secret@duet.test' }),
    });
    const replying = route({
      method: 'get',
      path: '/reply',
      summary: 'Says too much in its own way.',
      tags: ['test'],
      who: 'anyone',
      limit: 'none',
      status: 200,
      out: z.strictObject({ id: z.string() }),
      run: (ctx) => ctx.reply({ body: { id: 'x', email: 'secret@duet.test' } }),
    });
    await using checked = await openTestDoor({ routes: [leaky, replying] });
    expect((await fetch(`${checked.url}/api/v1/reply`)).status).toBe(500);
    await using unchecked = await openTestDoor({ routes: [leaky], config: { checkResponses: false } });
    expect((await fetch(`${checked.url}/api/v1/leak`)).status).toBe(500);
    expect((await fetch(`${unchecked.url}/api/v1/leak`)).status).toBe(200);
  });

  test('a header that is not declared is a mistake of ours', async () => {
    const sending = (path: `/${string}`, run: (ctx: { setHeader: unknown; reply: unknown }) => unknown) =>
      route({
        method: 'get',
        path,
        summary: 'Sends a header.',
        tags: ['test'],
        who: 'anyone',
        limit: 'none',
        sends: { 'x-told': 'Told of.' },
        status: 204,
        run: run as () => void,
      });
    const routes = ['x-told', 'x-untold'].flatMap((name) => [
      sending(`/set-${name}`, (ctx) => (ctx.setHeader as (...header: string[]) => void)(name, 'x')),
      sending(`/reply-${name}`, (ctx) =>
        (ctx.reply as (init: object) => unknown)({ headers: { [name]: 'x' } }),
      ),
    ]);
    await using door = await openTestDoor({ routes });
    const status = async (path: string) => (await fetch(`${door.url}/api/v1${path}`)).status;
    expect([await status('/set-x-told'), await status('/reply-x-told')]).toEqual([204, 204]);
    expect([await status('/set-x-untold'), await status('/reply-x-untold')]).toEqual([500, 500]);
  });
});

describe('requesters', () => {
  test('no token or a wrong one is a 401 that names the scheme', async () => {
    for (const headers of [{}, { authorization: 'Bearer nobody' }, { authorization: 'Basic dTpw' }]) {
      const answer = await get('/whoami', headers as Record<string, string>);
      expect(answer.value.code).toBe('UNAUTHORIZED');
      expect(answer.headers['www-authenticate']).toBe('Bearer');
    }
  });

  test('the handler knows the caller, declared headers and cookies', async () => {
    const headers = { authorization: 'Bearer slow:U7', 'x-device-id': 'd-0', cookie: 'a=b; csrf=c=1; x' };
    const answer = await get('/whoami', headers);
    expect(answer.value).toMatchObject({ userId: 'U7', device: 'd-0', cookie: 'c=1' });
    expect(answer.headers['x-device-id']).toBe('d-1');
  });

  test('a user is no admin, an admin is a user', async () => {
    const remove = (authorization: string) =>
      rawHttp(door.port, requestText('DELETE', '/api/v1/people/me', { authorization }));
    expect((await remove('Bearer user:U1')).status).toBe(403);
    const done = await remove('Bearer admin:A1');
    expect({ status: done.status, body: done.body, length: done.headers['content-length'] }).toEqual({
      status: 204,
      body: '',
      length: undefined,
    });
    expect((await get('/whoami', { authorization: 'Bearer admin:A1' })).status).toBe(200);
  });
});

describe('allowances', () => {
  test('count against the user, or against the address where nobody is signed in', async () => {
    await get('/whoami', { authorization: 'Bearer user:U1' });
    await get(`/people/${ID}`);
    await get('/ping');
    expect(counted).toEqual([
      { limit: 'browse', userId: 'U1', address: '127.0.0.1' },
      { limit: 'browse', userId: undefined, address: '127.0.0.1' },
    ]);
  });

  test('used up is a 429, before the body is looked at and after the caller is', async () => {
    refusal = new DuetError('TOO_MANY_REQUESTS', { retryAfterSec: 60 });
    const put = (headers: Record<string, string>) =>
      rawHttp(door.port, requestText('PUT', '/api/v1/people/me', headers, '{a}'));
    // Whose token has run out is known, and who has none of ours is counted like anybody who is not signed in.
    expect((await put({ authorization: 'Bearer expired' })).status).toBe(401);
    for (const authorization of ['Bearer made-up', 'Bearer user:U1']) {
      const answer = await put({ authorization });
      expect(answer.status).toBe(429);
      expect(answer.headers['retry-after']).toBe('60');
    }
  });
});

describe('addresses', () => {
  test('come from the proxies that are ours, and from nobody else', async () => {
    const seen = async (forwarded: string) => {
      const answer = await get('/whoami', { authorization: 'Bearer user:U1', 'x-forwarded-for': forwarded });
      return answer.value.address;
    };
    expect(await seen('203.0.113.9')).toBe('203.0.113.9');
    expect(await seen('198.51.100.1, 203.0.113.9, 10.1.2.3')).toBe('203.0.113.9');
    const twoLines = await rawHttp(
      door.port,
      requestText('GET', '/api/v1/whoami', {
        authorization: 'Bearer user:U1',
        'x-forwarded-for': '6.6.6.6\r\nX-Forwarded-For: 203.0.113.9',
      }),
    );
    expect(JSON.parse(twoLines.body).address).toBe('203.0.113.9');
    const spoofs = { 'x-real-ip': '6.6.6.6', 'x-client-ip': '6.6.6.6', forwarded: 'for=6.6.6.6' };
    const answer = await get('/whoami', { authorization: 'Bearer user:U1', ...spoofs });
    expect(answer.value.address).toBe('127.0.0.1');
  });

  test('without proxies of ours, from the socket only', async () => {
    await using bare = await openTestDoor({ routes: fakeRoutes });
    const headers = { authorization: 'Bearer user:U1', 'x-forwarded-for': '6.6.6.6' };
    const answer = await rawHttp(bare.port, requestText('GET', '/api/v1/whoami', headers));
    expect(JSON.parse(answer.body).address).toBe('127.0.0.1');
  });
});

describe('a client that goes away', () => {
  test('gets no answer, disturbs nobody, and is counted', async () => {
    door.observed.length = 0;
    for (let i = 0; i < 50; i++) {
      const connection = await openRaw(door.port);
      connection.send(requestText('GET', '/api/v1/later'));
      await new Promise((resolve) => setTimeout(resolve, 2));
      connection.destroy();
    }
    await eventually(() => door.observed.length).toBe(50);
    expect(door.observed.some(({ status }) => status === 499)).toBe(true);
    expect((await get('/ping')).status).toBe(200);
    expect(door.log.lines).toEqual([]);
  });

  test('in the middle of a large answer', async () => {
    for (let i = 0; i < 20; i++) {
      const connection = await openRaw(door.port);
      connection.send(requestText('GET', '/api/v1/large'));
      await new Promise((resolve) => connection.socket.once('data', resolve));
      connection.destroy();
    }
    expect((await get('/ping')).status).toBe(200);
  });
});

test('declaring a route twice is refused at the start', async () => {
  await expect(openTestDoor({ routes: [...fakeRoutes, fakeRoutes[0]!] })).rejects.toThrow(
    /Declared twice: GET/,
  );
});
