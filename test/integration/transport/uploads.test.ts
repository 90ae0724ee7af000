import { readdirSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { DuetError } from '../../../src/errors.ts';
import { rawBody, route } from '../../../src/http/route.ts';
import { MAX_UPLOADS } from '../../../src/http/UploadPlaces.ts';
import { eventually } from '../../support/eventually.ts';
import { openRaw, requestText } from '../../support/rawHttp.ts';
import { openTestDoor, type TestDoor } from '../../support/testDoor.ts';

/** Large bodies: through a file, no faster than it takes them, and nothing left of those that fail. */

const MIB = 1024 * 1024;
const CAP = 10 * MIB;
const signedIn = { authorization: 'Bearer user:U1' };
const start = Buffer.from('picture: 16 bytes or more');

const photos = route({
  method: 'post',
  path: '/photos',
  summary: 'Takes what begins with "picture".',
  tags: ['test'],
  who: 'user',
  limit: 'upload',
  body: rawBody({
    types: ['image/jpeg'],
    maxBytes: CAP,
    looksRight: (first) => first.toString('latin1', 0, 7) === 'picture',
  }),
  status: 201,
  out: z.strictObject({ size: z.number(), sha256: z.string() }),
  run: async ({ body }) => ({ size: body.size, sha256: (await body.digest()).toString('hex') }),
});

let door: TestDoor;
/** Whether the session that everybody has here is over. */
let hasEnded = false;
/** What whoever is `slow` waits for until it is known who that is. */
let known: Promise<void> = Promise.resolve();

beforeAll(async () => {
  door = await openTestDoor({
    routes: [photos],
    config: { slowBodyMs: 1_500 },
    ports: {
      limit: async () => {},
      hasEnded: () => hasEnded,
      authenticate: (authorization) => {
        const user = { userId: 'U1', sessionId: 's', role: 'user' as const };
        if (authorization === 'Bearer slow') return known.then(() => user);
        if (authorization === signedIn.authorization) return user;
        throw new DuetError('UNAUTHORIZED');
      },
    },
  });
});
afterAll(() => door[Symbol.asyncDispose]());

/** Files of uploads that this process has open (where /proc says so). */
function filesOpen(): number {
  try {
    return readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).includes('duet-upload-');
      } catch {
        return false;
      }
    }).length;
  } catch {
    return 0;
  }
}

const head = (headers: Record<string, string>) =>
  requestText('POST', '/api/v1/photos', { ...signedIn, 'content-type': 'image/jpeg', ...headers });

describe('an upload', () => {
  test('arrives byte by byte, whatever its size', async () => {
    for (const size of [16, 1000, 128 * 1024 + 1, CAP]) {
      const bytes = Buffer.alloc(size, 'abcdefg');
      start.copy(bytes, 0, 0, Math.min(size, start.length));
      const response = await fetch(`${door.url}/api/v1/photos`, {
        method: 'POST',
        headers: { ...signedIn, 'content-type': 'image/jpeg' },
        body: bytes,
      });
      const sha256 = Buffer.from(await crypto.subtle.digest('SHA-256', bytes)).toString('hex');
      expect([response.status, await response.json()]).toEqual([201, { size, sha256 }]);
    }
    await eventually(filesOpen).toBe(0);
  });

  test('waits in its own socket until it is known whose it is', async () => {
    let tell = () => {};
    known = new Promise((resolve) => {
      tell = resolve;
    });
    const connection = await openRaw(door.port);
    connection.send(head({ 'content-length': String(CAP), authorization: 'Bearer slow' }));
    connection.send(start);
    await eventually(() => door.router.openBodies).toBe(1);
    connection.send(Buffer.alloc(CAP - start.length, 'x'));
    // Longer than a client that sends nothing may take: it is the server that does not read.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(connection.socket.writableLength).toBeGreaterThan(0);
    expect(filesOpen()).toBe(0);
    tell();
    const [answer] = await connection.answers(1);
    expect([answer?.status, JSON.parse(answer!.body).size]).toEqual([201, CAP]);
    connection.destroy();
  });

  test('is refused by its first bytes, before the others were sent', async () => {
    const connection = await openRaw(door.port);
    connection.send(head({ 'content-length': String(CAP) }));
    connection.send('<svg xmlns="http://www.w3.org/2000/svg">');
    const [answer] = await connection.answers(1);
    expect(answer?.status).toBe(415);
    connection.destroy();
    await eventually(filesOpen).toBe(0);
  });

  test('is refused at the cap while it streams, also without a length', async () => {
    const connection = await openRaw(door.port);
    connection.send(head({ 'transfer-encoding': 'chunked' }));
    connection.send(`${start.length.toString(16)}\r\n${start}\r\n`);
    const piece = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    for (let sent = 0; sent <= CAP; sent += 0x10000) connection.send(piece);
    const [answer] = await connection.answers(1);
    expect(answer?.status).toBe(413);
    connection.destroy();
    await eventually(filesOpen).toBe(0);
  });

  test('of whom nobody knows is never written anywhere', async () => {
    const connection = await openRaw(door.port);
    connection.send(head({ 'content-length': String(CAP), authorization: 'Bearer nobody' }));
    connection.send(start);
    expect((await connection.answers(1))[0]?.status).toBe(401);
    expect(filesOpen()).toBe(0);
    connection.destroy();
  });

  test('of whoever was signed out while it came is not carried out', async () => {
    const connection = await openRaw(door.port);
    connection.send(head({ 'content-length': String(start.length) }));
    connection.send(start.subarray(0, 7));
    await eventually(() => door.router.openBodies).toBe(1);
    hasEnded = true;
    connection.send(start.subarray(7));
    const [answer] = await connection.answers(1);
    hasEnded = false;
    expect([answer?.status, JSON.parse(answer!.body).code]).toEqual([401, 'UNAUTHORIZED']);
    connection.destroy();
    await eventually(filesOpen).toBe(0);
  });

  test('that stops is a 408; one that goes on may take its time', async () => {
    const [stops, goesOn] = [await openRaw(door.port), await openRaw(door.port)];
    stops.send(head({ 'content-length': '100' }));
    stops.send(start);
    goesOn.send(head({ 'content-length': String(start.length + 8) }));
    goesOn.send(start);
    for (let i = 0; i < 8; i++) {
      await new Promise((resolve) => setTimeout(resolve, 350));
      goesOn.send('x');
    }
    expect((await goesOn.answers(1))[0]?.status).toBe(201);
    expect((await stops.answers(1))[0]?.status).toBe(408);
    for (const connection of [stops, goesOn]) connection.destroy();
    await eventually(filesOpen).toBe(0);
  });

  test('whose client goes away leaves no file and no open body', async () => {
    const connections = await Promise.all(Array.from({ length: 20 }, () => openRaw(door.port)));
    for (const connection of connections) {
      connection.send(head({ 'content-length': String(CAP) }));
      connection.send(Buffer.concat([start, Buffer.alloc(MIB, 'x')]));
    }
    await eventually(() => door.router.openBodies).toBe(20);
    if (process.platform === 'linux') await eventually(filesOpen).toBe(20);
    for (const connection of connections) connection.destroy();
    await eventually(() => door.router.openBodies).toBe(0);
    await eventually(filesOpen).toBe(0);
  });

  test('that is slow arrives, however long it takes', { timeout: 60_000 }, async () => {
    await using patient = await openTestDoor({ routes: [photos] });
    const [slow, silent] = [await openRaw(patient.port), await openRaw(patient.port)];
    slow.send(head({ 'content-length': '20000' }));
    slow.send(start);
    silent.send(head({ 'content-length': '20000' }));
    silent.send(start);
    for (let sent = start.length; sent < 20_000; ) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const bytes = Math.min(500, 20_000 - sent);
      slow.send(Buffer.alloc(bytes));
      sent += bytes;
    }
    expect((await slow.answers(1))[0]?.status).toBe(201);
    expect((await silent.answers(1))[0]?.status).toBe(408);
    for (const connection of [slow, silent]) connection.destroy();
  });

  test('of whoever holds all places gives way to somebody else’s', { timeout: 60_000 }, async () => {
    await using patient = await openTestDoor({
      routes: [photos],
      ports: {
        authenticate: (authorization) => ({ userId: authorization, sessionId: 's', role: 'user' }),
      },
    });
    const begin = async (user: string) => {
      const connection = await openRaw(patient.port);
      connection.send(head({ 'content-length': '100', authorization: user }));
      connection.send(start);
      return connection;
    };
    const many = [await begin('many')];
    await eventually(() => patient.router.openBodies).toBe(1);
    while (many.length < MAX_UPLOADS) many.push(await begin('many'));
    await eventually(() => patient.router.openBodies).toBe(MAX_UPLOADS);
    const oneMore = await begin('many');
    expect((await oneMore.answers(1))[0]?.status).toBe(429);
    const other = await begin('other');
    expect((await many[0]!.answers(1))[0]?.status).toBe(429);
    other.send(Buffer.alloc(100 - start.length));
    expect((await other.answers(1))[0]?.status).toBe(201);
    // The place is free again.
    many.push(await begin('many'));
    for (const connection of many.slice(1)) connection.send(Buffer.alloc(100 - start.length));
    for (const connection of many.slice(1)) expect((await connection.answers(1))[0]?.status).toBe(201);
    for (const connection of [...many, oneMore, other]) connection.destroy();
    await eventually(filesOpen).toBe(0);
  });

  test('IN-29: a hundred at once, of ten megabytes each, stay out of memory', {
    timeout: 120_000,
  }, async () => {
    // Client and server share one loop here, which keeps the clients waiting for longer than honest ones wait.
    await using patient = await openTestDoor({ routes: [photos] });
    const body = Buffer.alloc(CAP, 'x');
    start.copy(body);
    global.gc?.();
    const held = () => {
      const { arrayBuffers, heapUsed } = process.memoryUsage();
      return arrayBuffers + heapUsed;
    };
    const before = held();
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, held() - before);
    }, 5);
    const statuses = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const connection = await openRaw(patient.port);
        connection.send(head({ 'content-length': String(CAP) }));
        connection.send(body);
        const [answer] = await connection.answers(1, { withinMs: 100_000 });
        connection.destroy();
        return answer?.status;
      }),
    );
    clearInterval(watch);
    expect(new Set(statuses)).toEqual(new Set([201]));
    // A gigabyte came in.
    expect(most).toBeLessThan(200 * MIB);
    await eventually(filesOpen).toBe(0);
  });
});
