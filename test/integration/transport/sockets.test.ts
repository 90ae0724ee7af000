import { CloseCode } from '@colyseus/core';
import { Client } from '@colyseus/sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { OPCODE, openSocket } from '../../support/rawSocket.ts';
import { ALLOWED_ORIGIN } from '../../support/testDoor.ts';
import { type FakeServer, startFakeServer } from './FakeRoom.ts';

/** Sockets: who gets one, who keeps one, and what they can do to the rest. */

const JOIN_ROOM = 10;
const ERROR = 11;

let server: FakeServer;

beforeAll(async () => {
  server = await startFakeServer({ joinTimeoutMs: 1_000 });
});
beforeEach(() => {
  server.room.joinBehaviour = 'let in';
  server.room.contexts.length = 0;
  server.log.lines.length = 0;
});
afterAll(() => server[Symbol.asyncDispose]());

async function joinWithSdk() {
  const url = new URL(await server.seat(), 'ws://x');
  const [, processId, roomId] = url.pathname.split('/');
  const sdk = new Client(`ws://127.0.0.1:${server.port}`);
  const seat = { name: 'fake', roomId, processId, sessionId: url.searchParams.get('sessionId')! };
  return sdk.consumeSeatReservation(seat as never);
}

async function join(headers: Record<string, string> = {}) {
  const socket = await openSocket(server.port, await server.seat(), headers);
  await eventually(() => socket.frames()[0]?.payload[0]).toBe(JOIN_ROOM);
  return socket;
}

async function expectOthersUndisturbed() {
  const room = await joinWithSdk();
  const back = new Promise<number[]>((resolve) => {
    room.onMessage('relayed', (bytes: Uint8Array) => resolve([...bytes]));
  });
  room.sendBytes('relay', Buffer.from([1, 2, 3]));
  expect(await back).toEqual([1, 2, 3]);
  await room.leave();
}

describe('WS-19 the upgrade', () => {
  test('is for our pages and for clients that are no browsers', async () => {
    for (const [headers, status] of [
      [{}, 101],
      [{ origin: ALLOWED_ORIGIN }, 101],
      [{ origin: 'https://evil.example' }, 403],
      [{ origin: 'null' }, 403],
      [{ origin: `${ALLOWED_ORIGIN}.evil.example` }, 403],
    ] as [Record<string, string>, number][]) {
      const socket = await openSocket(server.port, await server.seat(), headers);
      expect({ headers, status: socket.status }).toEqual({ headers, status });
      if (status === 403) expect(JSON.parse(socket.body)).toMatchObject({ status, code: 'FORBIDDEN' });
      socket.destroy();
    }
  });

  test.each([
    '/',
    '/?sessionId=abcdefghi',
    '/a',
    '/a/b',
    '/a/b?sessionId=',
    '/a/b/c?sessionId=abcdefghi',
    '//b?sessionId=abcdefghi',
    '/a/b%2Fc?sessionId=abcdefghi',
    '/a/constructor?sessionId=abcdefghi',
    '/a/__proto__?sessionId=abcdefghi',
    '/a/b?sessionId=constructor',
    '/a/b?sessionId=__proto__',
    '/a/b?sessionId=abc&reconnectionToken=toString',
    '/a/b?sessionId=a%00b',
    '/a/b?sessionId[]=abc',
    `/a/b?sessionId=${'a'.repeat(65)}`,
  ])('at %s is a 404 or a refused seat, and nothing else', async (path) => {
    const socket = await openSocket(server.port, path);
    if (socket.status === 101) await eventually(() => socket.closeCode()).toBe(CloseCode.WITH_ERROR);
    else expect([404, 431]).toContain(socket.status);
    socket.destroy();
  });

  test('without a seat ends at once: as an error, or as a failed reconnection', async () => {
    const path = (await server.seat()).replace(/sessionId=.*/, 'sessionId=nobodys-seat');
    const socket = await openSocket(server.port, path);
    await eventually(() => socket.closeCode()).toBe(CloseCode.WITH_ERROR);
    expect(socket.frames()[0]?.payload[0]).toBe(ERROR);
    const again = await openSocket(server.port, `${path}&reconnectionToken=none`);
    await eventually(() => again.closeCode()).toBe(CloseCode.FAILED_TO_RECONNECT);
  });

  test('gives the room the token, and the address of the socket whatever headers say', async () => {
    const headers = {
      'x-forwarded-for': '6.6.6.6',
      'x-real-ip': '6.6.6.6',
      'x-client-ip': '6.6.6.6',
      'user-agent': '\u00ffx',
    };
    const socket = await openSocket(
      server.port,
      `${await server.seat()}&_authToken=the.access.token`,
      headers,
    );
    await eventually(() => server.room.contexts.length).toBe(1);
    const [context] = server.room.contexts;
    expect({ ip: context?.ip, token: context?.token }).toEqual({
      ip: '127.0.0.1',
      token: 'the.access.token',
    });
    expect(context?.headers.get('user-agent')).toBe('x');
    expect(JSON.stringify(server.log.lines)).not.toContain('the.access.token');
    socket.destroy();
    const other = await openSocket(server.port, await server.seat(), {
      authorization: 'Bearer another.token',
    });
    await eventually(() => server.room.contexts[1]?.token).toBe('another.token');
    other.destroy();
  });
});

describe('WS-02 and WS-25 sockets that do not join', () => {
  test('dropped before the join is acknowledged, many times over: seats are freed', async () => {
    await eventually(() => server.transport.socketCount).toBe(0);
    await eventually(() => server.room.clients.length).toBe(0);
    const before = server.room.left.length;
    const count = 200;
    for (let i = 0; i < count; i += 20) {
      const sockets = await Promise.all(
        Array.from({ length: 20 }, async () => openSocket(server.port, await server.seat())),
      );
      for (const [n, socket] of sockets.entries()) {
        if (n % 2 === 0) socket.destroy();
        else socket.connection.socket.resetAndDestroy();
      }
    }
    await eventually(() => server.room.clients.length).toBe(0);
    await eventually(() => server.room.left.length - before).toBe(count);
    await eventually(() => server.transport.socketCount).toBe(0);
    await expectOthersUndisturbed();
  });

  test('one that never acknowledges is closed, and its seat freed', async () => {
    const socket = await join();
    await eventually(() => socket.closeCode()).toBe(CloseCode.WITH_ERROR);
    await eventually(() => server.room.clients.length).toBe(0);
  });

  test('one that acknowledges stays', async () => {
    const socket = await join();
    socket.send(Buffer.from([JOIN_ROOM]));
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(socket.closeCode()).toBeUndefined();
    socket.destroy();
  });

  test('one that the room keeps waiting is closed', async () => {
    server.room.joinBehaviour = 'hang';
    const socket = await openSocket(server.port, await server.seat());
    await eventually(() => socket.closeCode()).toBe(CloseCode.WITH_ERROR);
  });

  test('one that is refused hears the code, one that met a failure hears nothing of it', async () => {
    const told = async (behaviour: 'refuse' | 'fail') => {
      server.room.joinBehaviour = behaviour;
      const socket = await openSocket(server.port, await server.seat());
      await eventually(() => socket.closeCode()).toBe(CloseCode.WITH_ERROR);
      return socket.frames()[0]!.payload.toString('latin1');
    };
    expect(await told('refuse')).toContain('ACCOUNT_SUSPENDED');
    const failure = await told('fail');
    expect(failure).toContain('INTERNAL_SERVER_ERROR');
    expect(failure).not.toMatch(/select|secret|57P01/);
    expect(server.log.lines.map((line) => line.message)).toContain('A join failed.');
  });

  test('what a room says before the acknowledgement is bounded', async () => {
    const socket = await join();
    for (let i = 0; i < 300; i++) server.room.broadcast('news', i);
    await eventually(() => socket.closeCode()).toBe(CloseCode.WITH_ERROR);
  });
});

describe('messages', () => {
  test('WS-23 bytes held across an await arrive as they were sent', async () => {
    const room = await joinWithSdk();
    const sent = Array.from({ length: 20 }, (_, i) => Buffer.alloc(4096, i + 1));
    const back: Buffer[] = [];
    room.onMessage('relayed', (bytes: Uint8Array) => {
      back.push(Buffer.from(bytes));
    });
    for (const bytes of sent) room.sendBytes('relay', bytes);
    await eventually(() => back.length).toBe(sent.length);
    expect(back.every((bytes, i) => bytes.equals(sent[i]!))).toBe(true);
    await room.leave();
  });

  test('a handler that throws costs its client the socket, and nobody else anything', async () => {
    const room = await joinWithSdk();
    const closed = new Promise<number>((resolve) => {
      room.onLeave((code) => resolve(code));
      room.onDrop((code) => resolve(code ?? 0));
    });
    room.reconnection.enabled = false;
    room.send('throw');
    expect(await closed).toBe(CloseCode.WITH_ERROR);
    await expectOthersUndisturbed();
  });

  test('frames that decode to nothing are survived', async () => {
    for (const frame of [
      [],
      [0],
      [13],
      [13, 0xdb],
      [13, 0xdb, 0xff, 0xff, 0xff, 0xff],
      [21],
      [21, 0xcd],
      [17, 0xd9],
      [19],
      [255],
    ]) {
      const socket = await join();
      socket.send(Buffer.from([JOIN_ROOM]));
      socket.send(Buffer.from(frame));
      socket.send(Buffer.from([12]));
      await eventually(() => socket.closeCode()).toBeDefined();
      socket.destroy();
    }
    await expectOthersUndisturbed();
  });

  test('text is refused, and so is more than the limit, for that client only', async () => {
    const writer = await join();
    writer.send('hello', OPCODE.text);
    await eventually(() => writer.closeCode()).toBe(1003);
    const large = await join();
    large.send(Buffer.alloc(64 * 1024 + 1));
    await eventually(() => large.closeCode()).toBeDefined();
    const fitting = await join();
    fitting.send(Buffer.from([JOIN_ROOM]));
    fitting.send(Buffer.alloc(64 * 1024));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(fitting.closeCode()).toBeUndefined();
    fitting.destroy();
    await expectOthersUndisturbed();
  });

  test('an unknown type is not given back at length', async () => {
    const room = await joinWithSdk();
    const closed = new Promise<string>((resolve) => room.onLeave((_code, reason) => resolve(reason ?? '')));
    room.reconnection.enabled = false;
    room.send('x'.repeat(5_000));
    expect((await closed).length).toBeLessThanOrEqual(64);
  });

  test('patches and messages of one turn arrive in order, each as it was when it was made', async () => {
    const room = await joinWithSdk();
    const seen: string[] = [];
    room.onStateChange((state) => {
      seen.push(`state ${(state as { count: number }).count}`);
    });
    room.onMessage('counted', (count: number) => {
      seen.push(`message ${count}`);
    });
    await eventually(() => seen.length).toBe(1);
    room.send('count', 20);
    await eventually(() => seen.length).toBe(41);
    const expected = Array.from({ length: 20 }, (_, i) => [`state ${i + 1}`, `message ${i + 1}`]).flat();
    expect(seen.slice(1)).toEqual(expected);
    await room.leave();
  });

  test('what is said last before a close arrives before it', async () => {
    const socket = await join();
    socket.send(Buffer.from([JOIN_ROOM]));
    await eventually(() => server.room.clients[0]?.state).toBe(1);
    server.room.clients[0]!.send('goodbye', 'now');
    server.room.clients[0]!.leave(CloseCode.CONSENTED);
    await eventually(() => socket.closeCode()).toBe(CloseCode.CONSENTED);
    expect(socket.frames().some((frame) => frame.payload.includes('goodbye'))).toBe(true);
  });
});

describe('WS-21 a client that does not read', () => {
  test('is closed once too much waits for it; what it got has no gap', async () => {
    const socket = await join();
    socket.send(Buffer.from([JOIN_ROOM]));
    await eventually(() => server.room.clients[0]?.state).toBe(1);
    socket.connection.socket.pause();
    const client = server.room.clients[0]!;
    let sent = 0;
    while (sent < 600 && server.room.clients.length > 0) {
      const piece = Buffer.alloc(64 * 1024);
      piece.writeUInt32BE(sent++);
      client.sendBytes('piece', piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually(() => server.room.clients.length).toBe(0);
    expect(sent).toBeLessThan(600);
    socket.connection.socket.resume();
    await eventually(() => socket.closeCode()).toBeDefined();
    const pieces = socket.frames().filter((frame) => frame.payload.length > 64 * 1024);
    expect(pieces.length).toBeGreaterThan(0);
    const numbers = pieces.map((frame) => frame.payload.readUInt32BE(frame.payload.length - 64 * 1024));
    expect(numbers).toEqual(numbers.map((_, i) => i));
    await expectOthersUndisturbed();
  });
});
