import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NO_HEADERS } from '../../../src/http/headers.ts';
import { eventually } from '../../support/eventually.ts';
import { openRaw, rawHttp, requestText } from '../../support/rawHttp.ts';
import { openTestDoor, type TestDoor } from '../../support/testDoor.ts';
import { fakeRoutes } from './fakeRoutes.ts';

/** Bodies that are too large or too slow. */

const CAP = 64 * 1024;
const json = { 'content-type': 'application/json' };
const signedIn = { authorization: 'Bearer user:U1' };

const file = {
  path: '/file.txt',
  bytes: Buffer.from('x'),
  gzip: undefined,
  etag: '"x"',
  headers: NO_HEADERS,
};

let door: TestDoor;

beforeAll(async () => {
  door = await openTestDoor({ routes: fakeRoutes, files: [file], config: { slowBodyMs: 1_500 } });
});
afterAll(() => door[Symbol.asyncDispose]());

async function send(method: string, path: string, headers: Record<string, string>, body: string) {
  const answer = await rawHttp(door.port, requestText(method, `/api/v1${path}`, headers, body));
  const value = answer.body === '' ? undefined : JSON.parse(answer.body);
  return { status: answer.status, code: value?.code, value, headers: answer.headers };
}

const echo = (body: string, headers: Record<string, string> = json) => send('POST', '/echo', headers, body);

describe('IN-04 a length beyond the cap', () => {
  test('is refused at the header, before anything is read', async () => {
    const connection = await openRaw(door.port);
    connection.send(
      requestText('POST', '/api/v1/echo', { ...json, 'content-length': String(300 * 1024 * 1024) }),
    );
    const [answer] = await connection.answers(1);
    expect(answer?.status).toBe(413);
    expect(JSON.parse(answer!.body).code).toBe('PAYLOAD_TOO_LARGE');
    expect(answer?.headers.connection).toBe('close');
    connection.destroy();
  });

  test('a client that sends on gets its answer, is cut off, and fills no memory', async () => {
    global.gc?.();
    const before = process.memoryUsage().arrayBuffers;
    const connection = await openRaw(door.port);
    connection.send(
      requestText('POST', '/api/v1/echo', { ...json, 'content-length': String(300 * 1024 * 1024) }),
    );
    const piece = Buffer.alloc(256 * 1024, 'x');
    let sent = 0;
    const pump = setInterval(() => {
      if (!connection.socket.destroyed) connection.socket.write(piece);
      sent += piece.length;
    }, 10);
    const wasCut = await connection.closed(10_000);
    clearInterval(pump);
    expect(wasCut).toBe(true);
    expect(connection.received()).toMatch(/^HTTP\/1.1 413 /);
    expect(sent).toBeLessThan(300 * 1024 * 1024);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
    connection.destroy();
  });

  test('one byte beyond it is refused, the cap itself is read', async () => {
    const filled = (size: number) => `{"text":"${'x'.repeat(size - 11)}"}`;
    expect((await echo(filled(CAP + 1))).status).toBe(413);
    expect((await echo(filled(CAP))).code).toBe('VALIDATION_FAILED');
  });

  test('at an unknown path and under another method as well, and the connection ends', async () => {
    for (const [method, path, status] of [
      ['POST', '/nothing', 404],
      ['POST', '/api/v1/ping', 405],
    ] as const) {
      const connection = await openRaw(door.port);
      connection.send(
        requestText(method, path, { ...json, 'content-length': '314572800' }) + 'x'.repeat(1_000),
      );
      const [answer] = await connection.answers(1);
      expect(answer?.status).toBe(status);
      expect(answer?.headers.connection).toBe('close');
      connection.destroy();
    }
  });
});

describe('IN-05 an endless chunked body', () => {
  test('is refused at the cap', async () => {
    const connection = await openRaw(door.port);
    connection.send(requestText('POST', '/api/v1/echo', { ...json, 'transfer-encoding': 'chunked' }));
    let sent = 0;
    while (sent <= CAP * 2) {
      connection.send(`2000\r\n${'x'.repeat(0x2000)}\r\n`);
      sent += 0x2000;
    }
    const [answer] = await connection.answers(1);
    expect(answer?.status).toBe(413);
    connection.destroy();
  });

  test('a chunked body below it is read', async () => {
    const body = '{"text":"hello"}';
    const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    const answer = await rawHttp(
      door.port,
      requestText('POST', '/api/v1/echo', { ...json, 'transfer-encoding': 'chunked' }, chunks),
    );
    expect(answer.status).toBe(200);
    expect(answer.body).toBe(body);
  });
});

describe('a body where none is read', () => {
  const endless = { 'transfer-encoding': 'chunked' };

  test.each([
    ['GET', '/api/v1/ping', 413],
    ['GET', '/api/v1/later', 413],
    ['HEAD', '/api/v1/ping', 413],
    ['OPTIONS', '/api/v1/ping', 405],
    ['GET', '/file.txt', 413],
  ] as const)('an endless one is cut: %s %s', async (method, path, status) => {
    const connection = await openRaw(door.port);
    connection.send(requestText(method, path, endless));
    const pump = setInterval(() => {
      if (!connection.socket.destroyed) connection.send(`2000\r\n${'x'.repeat(0x2000)}\r\n`);
    }, 10);
    const wasCut = await connection.closed(5_000);
    clearInterval(pump);
    expect(wasCut).toBe(true);
    expect(connection.received()).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    connection.destroy();
  });

  test('one beyond the cap is refused at the header, a short one is read over', async () => {
    const get = (length: number, body: string) =>
      rawHttp(door.port, requestText('GET', '/api/v1/ping', { 'content-length': String(length) }, body));
    expect((await get(CAP + 1, 'x')).status).toBe(413);
    expect((await get(CAP, 'x'.repeat(CAP))).status).toBe(200);
  });
});

describe('a length that is not clear', () => {
  const body = '{"text":"hello"}';
  const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  const post = (lines: string, sent: string) =>
    rawHttp(
      door.port,
      `POST /api/v1/echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${lines}\r\n\r\n${sent}`,
    );

  test.each(['9'.repeat(15), '9'.repeat(16), '9'.repeat(19), '9'.repeat(40), `${'0'.repeat(20)}99999999`])(
    'of %s bytes is a 413 or 400 at the header',
    async (length) => {
      const answer = await post(`content-length: ${length}`, '');
      expect([400, 413]).toContain(answer.status);
    },
  );

  test.each([
    `content-length: 16\r\ncontent-length: 15`,
    `content-length: 15\r\ncontent-length: 16`,
    'content-length: 16\r\ntransfer-encoding: chunked',
    'content-length: +16',
    'content-length: 16, 16',
    'content-length:',
    'content-length:\r\ncontent-length: 16',
    'content-length: 16\r\ncontent-length:',
    'transfer-encoding:\r\ncontent-length: 16',
    'content-length: 0x10',
  ])('%j is a 400, and the connection ends', async (lines) => {
    const answer = await post(lines, body);
    expect(answer.status).toBe(400);
    expect(answer.headers.connection).toBe('close');
  });

  test.each([
    'xchunked',
    'gzip, chunked',
    'chunked, chunked',
    'identity',
    'gzip',
    'chunked;x=1',
    'chunked\r\ntransfer-encoding: chunked',
    '',
    '\r\ntransfer-encoding: chunked',
  ])('transfer-encoding: %s is a 400', async (coding) => {
    expect((await post(`transfer-encoding: ${coding}`, chunks)).status).toBe(400);
  });

  test('nor is what follows it read as a request', async () => {
    const next = requestText('GET', '/api/v1/ping');
    for (const lines of [
      `content-length:\r\ncontent-length: ${next.length}`,
      'transfer-encoding:\r\ntransfer-encoding: chunked',
    ]) {
      for (const [path, status] of [
        ['/api/v1/ping', 400],
        ['/file.txt', 413],
        ['/nothing', 404],
      ] as const) {
        const connection = await openRaw(door.port);
        connection.send(`GET ${path} HTTP/1.1\r\nhost: x\r\n${lines}\r\n\r\n${next}`);
        expect(await connection.closed()).toBe(true);
        // It came too soon to leave time for the refusal.
        expect(connection.received()).not.toContain('HTTP/1.1 200');
        connection.destroy();
        const refused = await rawHttp(door.port, `GET ${path} HTTP/1.1\r\nhost: x\r\n${lines}\r\n\r\n`);
        expect(refused.status).toBe(status);
      }
    }
  });

  test('chunked is chunked in any case', async () => {
    for (const coding of ['chunked', 'Chunked'])
      expect([coding, (await post(`transfer-encoding: ${coding}`, chunks)).status]).toEqual([coding, 200]);
  });
});

describe('a slow body', () => {
  test.each([
    ['content-length', '20'],
    ['transfer-encoding', 'chunked'],
  ])('%s: %s is a 408', async (name, value) => {
    const connection = await openRaw(door.port);
    connection.send(requestText('POST', '/api/v1/echo', { ...json, [name]: value }));
    const [answer] = await connection.answers(1);
    expect(answer?.status).toBe(408);
    expect(JSON.parse(answer!.body).code).toBe('REQUEST_TIMEOUT');
    connection.destroy();
    expect(door.router.openBodies).toBe(0);
  });

  test('a client that goes away in the middle leaves nothing behind', async () => {
    const connection = await openRaw(door.port);
    connection.send(requestText('POST', '/api/v1/echo', { ...json, 'content-length': '20' }, '{"te'));
    await eventually(() => door.router.openBodies).toBe(1);
    connection.destroy();
    await eventually(() => door.router.openBodies).toBe(0);
  });

  test('an upload may take longer as long as it moves', async () => {
    const connection = await openRaw(door.port);
    connection.send(
      requestText('POST', '/api/v1/photos', {
        ...signedIn,
        'content-type': 'image/png',
        'content-length': '6',
      }),
    );
    for (const byte of 'abcdef') {
      connection.send(byte);
      await new Promise((resolve) => setTimeout(resolve, 400));
    }
    expect((await connection.answers(1))[0]?.status).toBe(201);
    connection.destroy();
  });
});
