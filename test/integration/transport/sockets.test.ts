import { CloseCode } from '@colyseus/core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { openSocket } from '../../support/rawSocket.ts';
import { ALLOWED_ORIGIN } from '../../support/testDoor.ts';
import { type FakeServer, startFakeServer } from './FakeRoom.ts';
import { ERROR, expectOthersUndisturbed, JOIN_ROOM, join } from './joining.ts';

/** Sockets: who gets one, who keeps one, and what they can do to the rest. */

let server: FakeServer;

beforeAll(async () => {
  server = await startFakeServer();
});
beforeEach(() => {
  server.room.joinBehaviour = 'let in';
  server.room.contexts.length = 0;
  server.log.lines.length = 0;
});
afterAll(() => server[Symbol.asyncDispose]());

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
    await expectOthersUndisturbed(server);
  });

  test('one that never acknowledges is closed, and its seat freed', async () => {
    const socket = await join(server);
    await eventually(() => socket.closeCode()).toBe(CloseCode.WITH_ERROR);
    await eventually(() => server.room.clients.length).toBe(0);
  });

  test('one that acknowledges stays', async () => {
    const socket = await join(server);
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
    const told = async (behaviour: 'refuse' | 'fail' | 'break') => {
      server.room.joinBehaviour = behaviour;
      const socket = await openSocket(server.port, await server.seat());
      await eventually(() => socket.closeCode()).toBe(CloseCode.WITH_ERROR);
      return socket.frames()[0]!.payload.toString('latin1');
    };
    expect(await told('refuse')).toContain('ACCOUNT_SUSPENDED');
    for (const [behaviour, code] of [
      ['break', 'INTERNAL_SERVER_ERROR'],
      // The database is away: asked for again, it may be back.
      ['fail', 'UNAVAILABLE'],
    ] as const) {
      server.log.lines.length = 0;
      const failure = await told(behaviour);
      expect(failure).toContain(code);
      expect(failure).not.toMatch(/select|secret|57P01/);
      expect(server.log.lines.map((line) => line.message)).toContain('A join failed.');
    }
  });

  test('what a room says before the acknowledgement is bounded', async () => {
    const socket = await join(server);
    for (let i = 0; i < 300; i++) server.room.broadcast('news', i);
    await eventually(() => socket.closeCode()).toBe(CloseCode.WITH_ERROR);
  });
});
