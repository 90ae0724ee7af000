import { connect } from 'node:net';
import { Server } from '@colyseus/core';
import { describe, expect, test } from 'vitest';
import { SystemClock } from '../../../src/clock.ts';
import { HardenedTransport } from '../../../src/transport/HardenedTransport.ts';
import { eventually } from '../../support/eventually.ts';
import { openRaw, requestText } from '../../support/rawHttp.ts';
import { OPCODE, openSocket } from '../../support/rawSocket.ts';
import { MemoryLog, openTestDoor } from '../../support/testDoor.ts';
import { startFakeServer } from './FakeRoom.ts';
import { fakeRoutes } from './fakeRoutes.ts';

/** Starting, ending, and peers that have gone without a word. */

const JOIN_ROOM = 10;

function bareTransport() {
  return new HardenedTransport({
    findRoom: () => undefined,
    allowedOrigins: new Set<string>(),
    trustedProxies: [],
    socketLimits: { perUser: 20, perAddress: 200 },
    log: new MemoryLog(),
    clock: new SystemClock(),
  });
}

function canConnect(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

describe('listening', () => {
  test('a taken port is refused with a sentence, to another transport and to Colyseus', async () => {
    await using door = await openTestDoor({ routes: fakeRoutes });
    const second = bareTransport();
    await expect(second.open(door.port, '127.0.0.1')).rejects.toThrow(
      `Cannot listen on 127.0.0.1:${door.port}`,
    );
    expect(second.port).toBe(-1);
    const server = new Server({ transport: second, gracefullyShutdown: false, greet: false });
    await expect(server.listen(door.port, '127.0.0.1')).rejects.toThrow('Cannot listen');
    second.close();
    expect((await fetch(`${door.url}/api/v1/ping`)).status).toBe(200);
  });

  test('an address of another machine is refused', async () => {
    const transport = bareTransport();
    await expect(transport.open(0, '203.0.113.1')).rejects.toThrow('Cannot listen on 203.0.113.1:0');
    transport.close();
  });

  test('on one address means on no other', async () => {
    await using door = await openTestDoor({ routes: fakeRoutes });
    expect(await canConnect('127.0.0.1', door.port)).toBe(true);
    expect(await canConnect('127.0.0.2', door.port)).toBe(false);
    expect(await canConnect('::1', door.port)).toBe(false);
  });
});

describe('ending', () => {
  test('shutdown takes nothing new and leaves what is there', async () => {
    await using server = await startFakeServer();
    const { port } = server;
    const socket = await openSocket(port, await server.seat());
    const request = await openRaw(port);
    server.transport.shutdown();
    server.transport.shutdown();
    expect(await canConnect('127.0.0.1', port)).toBe(false);
    socket.send(Buffer.from([JOIN_ROOM]));
    await eventually(() => server.room.clients[0]?.state).toBe(1);
    request.send(requestText('GET', '/'));
    expect(await request.answers(1)).toHaveLength(1);
    expect(socket.closeCode()).toBeUndefined();
    socket.destroy();
    request.destroy();
  });

  test('close closes every socket with a code and every connection, and can be called again', async () => {
    const server = await startFakeServer();
    const socket = await openSocket(server.port, await server.seat());
    await eventually(() => server.room.clients.length).toBe(1);
    const request = await openRaw(server.port);
    expect(server.transport.socketCount).toBe(1);
    server.transport.close();
    server.transport.close();
    await eventually(() => socket.closeCode()).toBe(4001);
    expect(await request.closed()).toBe(true);
    expect(server.transport.socketCount).toBe(0);
    await eventually(() => server.room.left.length).toBe(1);
    await server.room.disconnect();
  });

  test('a port is free again afterwards', async () => {
    const first = await openTestDoor({ routes: fakeRoutes });
    await first[Symbol.asyncDispose]();
    const second = bareTransport();
    expect(await second.open(first.port, '127.0.0.1')).toBe(first.port);
    second.close();
  });
});

describe('WS-20 a peer that has gone without a word', () => {
  test('is found out by its silence, even while it is being sent to', async () => {
    let isPatient = true;
    await using server = await startFakeServer({ idleTimeoutSec: 8, isPatient: () => isPatient });
    const inPatientRoom = await openSocket(server.port, await server.seat());
    inPatientRoom.send(Buffer.from([JOIN_ROOM]));
    isPatient = false;
    const socket = await openSocket(server.port, await server.seat());
    socket.send(Buffer.from([JOIN_ROOM]));
    const living = await openSocket(server.port, await server.seat());
    living.send(Buffer.from([JOIN_ROOM]));
    await eventually(() => server.room.clients.length).toBe(3);
    const talk = setInterval(() => server.room.broadcast('still here?', 1), 500);
    let answered = 0;
    const answers = setInterval(() => {
      const pings = living.frames().filter((frame) => frame.opcode === OPCODE.ping).length;
      for (; answered < pings; answered++) living.send('', OPCODE.pong);
    }, 50);
    await eventually(() => server.room.left.length).toBe(1);
    await eventually(() => socket.closeCode()).toBe(1006);
    expect(living.closeCode()).toBeUndefined();
    expect(answered).toBeGreaterThan(0);
    // Where nobody waits for a peer it is given more time, and is asked later.
    expect(inPatientRoom.closeCode()).toBeUndefined();
    expect(inPatientRoom.frames().filter((frame) => frame.opcode === OPCODE.ping)).toEqual([]);
    inPatientRoom.destroy();
    clearInterval(talk);
    clearInterval(answers);
    living.destroy();
  });
});
