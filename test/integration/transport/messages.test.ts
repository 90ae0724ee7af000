import { CloseCode } from '@colyseus/core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { OPCODE, openSocket } from '../../support/rawSocket.ts';
import { type FakeServer, startFakeServer } from './FakeRoom.ts';
import { ERROR, expectOthersUndisturbed, JOIN_ROOM, join, joinWithSdk } from './joining.ts';

/** Messages: what they can and cannot do, and how they arrive. */

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

describe('messages', () => {
  test('WS-23 bytes held across an await arrive as they were sent', async () => {
    const room = await joinWithSdk(server);
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
    const room = await joinWithSdk(server);
    const closed = new Promise<number>((resolve) => {
      room.onLeave((code) => resolve(code));
      room.onDrop((code) => resolve(code ?? 0));
    });
    room.reconnection.enabled = false;
    room.send('throw');
    expect(await closed).toBe(CloseCode.WITH_ERROR);
    await expectOthersUndisturbed(server);
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
      const socket = await join(server);
      socket.send(Buffer.from([JOIN_ROOM]));
      socket.send(Buffer.from(frame));
      socket.send(Buffer.from([12]));
      await eventually(() => socket.closeCode()).toBeDefined();
      socket.destroy();
    }
    await expectOthersUndisturbed(server);
  });

  test('WS-06 text is refused, and so is more than the limit, in words and for that client only', async () => {
    const writer = await join(server);
    writer.send('hello', OPCODE.text);
    await eventually(() => writer.closeCode()).toBe(1003);
    for (const bytes of [64 * 1024 + 1, 100 * 1024, 256 * 1024]) {
      const large = await join(server);
      large.send(Buffer.from([JOIN_ROOM]));
      await eventually(() => server.room.clients.length).toBe(1);
      large.send(Buffer.alloc(bytes));
      await eventually(() => large.closeCode()).toBe(1009);
      large.destroy();
      await eventually(() => server.room.clients.length).toBe(0);
    }
    // What is a lot more is not taken in at all.
    const huge = await join(server);
    huge.send(Buffer.alloc(256 * 1024 + 1));
    await eventually(() => huge.closeCode()).toBe(1006);
    const fitting = await join(server);
    fitting.send(Buffer.from([JOIN_ROOM]));
    fitting.send(Buffer.alloc(64 * 1024));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(fitting.closeCode()).toBeUndefined();
    fitting.destroy();
    await expectOthersUndisturbed(server);
  });

  test('WS-03 a message that comes before its client is in is refused in words, and the socket closed', async () => {
    server.room.joinBehaviour = 'hang';
    for (const frame of [Buffer.from([13, 0xa5, ...Buffer.from('count')]), Buffer.from([JOIN_ROOM])]) {
      const socket = await openSocket(server.port, await server.seat());
      socket.send(frame);
      await eventually(() => socket.closeCode()).toBe(CloseCode.WITH_ERROR);
      const said = socket.frames().find(({ payload }) => payload[0] === ERROR);
      expect(said!.payload.toString('latin1')).toContain('CONFLICT');
      socket.destroy();
    }
    server.room.joinBehaviour = 'let in';
    await expectOthersUndisturbed(server);
  });

  test('an unknown type is not given back at length', async () => {
    const room = await joinWithSdk(server);
    const closed = new Promise<string>((resolve) => room.onLeave((_code, reason) => resolve(reason ?? '')));
    room.reconnection.enabled = false;
    room.send('x'.repeat(5_000));
    expect((await closed).length).toBeLessThanOrEqual(64);
  });

  test('patches and messages of one turn arrive in order, each as it was when it was made', async () => {
    const room = await joinWithSdk(server);
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
    const socket = await join(server);
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
    const socket = await join(server);
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
    await expectOthersUndisturbed(server);
  });
});
