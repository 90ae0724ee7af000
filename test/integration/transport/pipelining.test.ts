import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { headerText, NO_HEADERS } from '../../../src/http/headers.ts';
import { route } from '../../../src/http/route.ts';
import { openRaw, requestText } from '../../support/rawHttp.ts';
import { openTestDoor, type TestDoor } from '../../support/testDoor.ts';
import { fakeRoutes, LARGE } from './fakeRoutes.ts';

/** Many requests on one connection: what waits to be sent to whoever asks and never reads is bounded. */

const MIB = 1024 * 1024;
const TEXT = 'duet '.repeat(8_000);

const text = route({
  method: 'get',
  path: '/text',
  summary: 'Answers with 40 KB.',
  tags: ['test'],
  who: 'anyone',
  limit: 'none',
  status: 200,
  run: (ctx) => ctx.reply({ headers: { 'content-type': 'text/plain' }, body: TEXT }),
});
const file = {
  path: '/file.txt',
  bytes: Buffer.from(TEXT),
  gzip: undefined,
  etag: '"x"',
  headers: headerText([['etag', '"x"']]),
};
const empty = {
  path: '/empty.txt',
  bytes: Buffer.alloc(0),
  gzip: undefined,
  etag: '"e"',
  headers: NO_HEADERS,
};
const upgrade = {
  upgrade: 'websocket',
  connection: 'upgrade',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-version': '13',
};

let door: TestDoor;

beforeAll(async () => {
  door = await openTestDoor({ routes: [...fakeRoutes, text], files: [file, empty] });
});
afterAll(() => door[Symbol.asyncDispose]());
afterEach(() => vi.restoreAllMocks());

describe('who asks and never reads', () => {
  test.each([
    ['40 KB each', requestText('GET', '/api/v1/text')],
    ['a file of 40 KB', requestText('GET', '/file.txt')],
    ['something small', requestText('GET', '/api/v1/ping')],
    ['what is not there', requestText('GET', '/nothing')],
    ['a socket that is not granted', requestText('GET', '/nothing', upgrade)],
    ['the head only', requestText('HEAD', '/file.txt')],
    ['what it has already', requestText('GET', '/file.txt', { 'if-none-match': '"x"' })],
    ['an empty file', requestText('GET', '/empty.txt')],
    ['what is allowed', requestText('OPTIONS', '/api/v1/ping')],
  ])('is cut off, and fills no memory: %s', { timeout: 60_000 }, async (_what, request) => {
    const connection = await openRaw(door.port);
    connection.socket.pause();
    const before = process.memoryUsage.rss();
    const grown = () => (process.memoryUsage.rss() - before) / MIB;
    const many = request.repeat(200);
    for (let sent = 0; sent < 2_000 && !connection.socket.destroyed && grown() < 300; sent++) {
      const isTaken = connection.socket.write(many);
      await new Promise((resolve) => (isTaken ? setImmediate(resolve) : setTimeout(resolve, 1)));
    }
    expect(connection.socket.destroyed).toBe(true);
    expect(grown()).toBeLessThan(50);
  });
});

describe('who reads', () => {
  test('gets answers of any size on one connection, and those that were asked for at once', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const connection = await openRaw(door.port);
    for (let round = 0; round < 2; round++) {
      for (const [path, size] of [
        ['/large', LARGE.length],
        ['/text', TEXT.length],
        ['/ping', 11],
      ] as const) {
        connection.send(requestText('GET', `/api/v1${path}`));
        expect((await connection.answers(1))[0]?.body.length).toBe(size);
      }
      connection.send(requestText('GET', '/empty.txt'));
      expect((await connection.answers(1))[0]).toMatchObject({ status: 200, body: '' });
      connection.send(requestText('GET', '/api/v1/text').repeat(20));
      expect(await connection.answers(20)).toHaveLength(20);
    }
    connection.destroy();
  });

  test('is told when an answer without a body is the last on its connection', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    for (const [method, path, headers, status, length] of [
      ['HEAD', '/file.txt', {}, 200, String(TEXT.length)],
      ['HEAD', '/api/v1/later', {}, 200, '11'],
      ['GET', '/file.txt', { 'if-none-match': '"x"' }, 304, undefined],
      ['OPTIONS', '/api/v1/ping', {}, 204, undefined],
    ] as const) {
      const connection = await openRaw(door.port);
      connection.send(requestText(method, path, headers));
      expect(await connection.closed()).toBe(true);
      expect(connection.received()).toMatch(/\r\n\r\n$/);
      const [answer] = await connection.answers(1, { isHead: method === 'HEAD' });
      expect(answer).toMatchObject({ status, body: '', headers: { connection: 'close' } });
      expect(answer?.headers['content-length']).toBe(length);
    }
  });
});
