import * as uws from 'uWebSockets.js';
import { App, type us_listen_socket, us_listen_socket_close } from 'uWebSockets.js';
import { getMessageBytes, Protocol } from '@colyseus/core';
import { uWebSocketClient } from '@colyseus/uwebsockets-transport/uWebSocketClient';
import { describe, expect, test } from 'vitest';
import { dropSeats, isClosing, reserveSeat, roomClosed } from '../../../src/actors/colyseus.ts';
import { FrameQueues } from '../../../src/transport/FrameQueue.ts';
import { RoomClient, RoomSocket, type Upgraded } from '../../../src/transport/RoomSocket.ts';
import { listenOn } from '../../../src/transport/uws.ts';
import { eventually } from '../../support/eventually.ts';
import { openSocket } from '../../support/rawSocket.ts';
import { startFakeServer } from './FakeRoom.ts';

/**
 * What the transport leans on and nobody promises. When one of these fails after an update, read the changed source
 * before mending the test.
 */

describe('uWebSockets.js', () => {
  test('the flag of an exclusive port, and the switch of the banner', () => {
    const native = (uws as unknown as { default: Record<string, unknown> }).default;
    expect(native.LIBUS_LISTEN_EXCLUSIVE_PORT).toBe(1);
    expect(native._cfg).toBeTypeOf('function');
  });

  test('without the flag two applications share a port: the reason to set it', async () => {
    const probe = await listenOn(App(), '127.0.0.1', 0);
    const port = uws.us_socket_local_port(probe);
    us_listen_socket_close(probe);
    const listen = () =>
      new Promise<us_listen_socket | false>((resolve) => App().listen('127.0.0.1', port, resolve));
    const sockets = [await listen(), await listen()].filter((socket) => socket !== false);
    expect(sockets).toHaveLength(2);
    await expect(listenOn(App(), '127.0.0.1', port)).rejects.toThrow('Cannot listen');
    for (const socket of sockets) us_listen_socket_close(socket);
  });

  test('takes a message’s memory back when its handler returns: the reason to copy', async () => {
    const app = App();
    let kept: ArrayBuffer | undefined;
    app.ws('/*', {
      message: (_ws, message) => {
        kept = message;
        expect(message.byteLength).toBe(3);
      },
    });
    const listening = await listenOn(app, '127.0.0.1', 0);
    const socket = await openSocket(uws.us_socket_local_port(listening), '/');
    socket.send(Buffer.from([1, 2, 3]));
    await eventually(() => kept?.byteLength).toBe(0);
    socket.destroy();
    app.close();
  });

  test('keeps what a socket was upgraded with, and what is added to it', async () => {
    const app = App();
    const seen: unknown[] = [];
    app.ws<{ name: string; added?: number }>('/*', {
      upgrade: (res, req, context) =>
        res.upgrade({ name: 'n' }, req.getHeader('sec-websocket-key'), '', '', context),
      open: (ws) => {
        ws.getUserData().added = 7;
      },
      close: (ws) => {
        seen.push(ws.getUserData().name, ws.getUserData().added);
      },
    });
    const listening = await listenOn(app, '127.0.0.1', 0);
    const socket = await openSocket(uws.us_socket_local_port(listening), '/');
    socket.destroy();
    await eventually(() => seen).toEqual(['n', 7]);
    app.close();
  });
});

describe('Colyseus', () => {
  test('getMessageBytes gives each frame memory of its own: what may wait uncopied', () => {
    const first = getMessageBytes.raw(Protocol.ROOM_DATA, 'first', { n: 1 });
    const kept = Buffer.from(first);
    getMessageBytes.raw(Protocol.ROOM_DATA, 'other', { n: 2 });
    getMessageBytes.raw(Protocol.ROOM_DATA_BYTES, 'bytes', undefined, Buffer.alloc(100, 1));
    getMessageBytes[Protocol.ROOM_RESPONSE](1, 0, { n: 3 });
    getMessageBytes[Protocol.ERROR](1, 'text');
    getMessageBytes[Protocol.JOIN_ROOM]('token', 'schema', Buffer.alloc(50, 2));
    expect(first.equals(kept)).toBe(true);
  });

  test('a patch overwrites the one before it: what must not', async () => {
    await using server = await startFakeServer();
    const socket = await openSocket(server.port, await server.seat());
    socket.send(Buffer.from([Protocol.JOIN_ROOM]));
    await eventually(() => server.room.clients[0]?.state).toBe(1);
    const frames: Uint8Array[] = [];
    const client = server.room.clients[0]!;
    client.raw = (bytes) => {
      frames.push(bytes);
    };
    for (const text of ['aaaa', 'bbbb']) {
      server.room.state.text = text;
      server.room.broadcastPatch();
    }
    expect(frames.map((bytes) => Buffer.from(bytes).toString('latin1').includes('bbbb'))).toEqual([
      true,
      true,
    ]);
    expect(frames.map((bytes) => bytes[0])).toEqual([Protocol.ROOM_STATE_PATCH, Protocol.ROOM_STATE_PATCH]);
    socket.destroy();
  });

  test('the client sends through `raw` only, and keeps what is said before its join in `_enqueuedMessages`', () => {
    for (const method of ['raw', 'enqueueRaw', 'send', 'sendBytes', 'error', 'leave'] as const) {
      expect(uWebSocketClient.prototype[method]).toBeTypeOf('function');
    }
    const { client, sent } = roomClient();
    client.send('early', 1);
    expect(client._enqueuedMessages).toHaveLength(1);
    client.error(1, 'x');
    (client._ref as RoomSocket).queue.flush();
    expect(sent).toHaveLength(1);
  });

  test('a room reserves a seat under the given id', async () => {
    await using server = await startFakeServer();
    const { room } = server;
    expect(await reserveSeat(room, 'a-long-id', { userId: 'ann' }, 15)).toBe(true);
    expect(room.hasReservedSeat('a-long-id')).toBe(true);
  });

  test('a room keeps seats and their timers in two objects, waits for them when it is closed, and says that it is gone', async () => {
    await using server = await startFakeServer();
    const { room } = server;
    const socket = await openSocket(server.port, await server.seat());
    socket.send(Buffer.from([Protocol.JOIN_ROOM]));
    await eventually(() => room.clients[0]?.state).toBe(1);
    expect(await reserveSeat(room, 'untaken', { userId: 'ann' }, 15)).toBe(true);
    // One whose join is under way.
    room.joinBehaviour = 'hang';
    const joining = await openSocket(server.port, await server.seat());
    const seats = room as unknown as { _reservedSeats: Record<string, unknown[]> };
    await eventually(() => Object.values(seats._reservedSeats).filter(([, , taken]) => taken).length).toBe(1);
    dropSeats(room);
    expect(room.hasReservedSeat('untaken')).toBe(false);
    expect(isClosing(room)).toBe(false);
    const closed = room.disconnect();
    expect(isClosing(room)).toBe(true);
    expect(await reserveSeat(room, 'too late', { userId: 'ann' }, 15)).toBe(false);
    await Promise.all([closed, roomClosed(room.roomId)]);
    socket.destroy();
    joining.destroy();
  });

  test('`leave` hands over what waits, then closes, once', () => {
    const { client, sent, ended } = roomClient();
    client.raw(Buffer.from([Protocol.ROOM_DATA, 1]));
    client.leave(4000, 'x'.repeat(500));
    client.leave(4001);
    expect(sent).toHaveLength(1);
    expect(ended).toEqual([[4000, 'x'.repeat(64)]]);
  });

  test('a room’s listener that rejects is heard of, and nobody’s unhandled rejection', async () => {
    const { socket, errors } = roomClient();
    socket.once('close', async () => {
      throw new Error('Redis is away');
    });
    socket.emit('close', 1006);
    await eventually(() => errors.length).toBe(1);
  });
});

function roomClient() {
  const sent: Uint8Array[] = [];
  const ended: unknown[][] = [];
  const errors: unknown[] = [];
  const ws = {
    send: (bytes: Uint8Array) => sent.push(bytes),
    cork: (write: () => void) => write(),
    end: (...close: unknown[]) => ended.push(close),
  } as unknown as uws.WebSocket<Upgraded>;
  const socket = new RoomSocket(ws, new FrameQueues(), (error) => errors.push(error));
  return { client: new RoomClient('session', socket), socket, sent, ended, errors };
}
