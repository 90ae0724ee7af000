import { describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/FakeClock.ts';
import { openRaw, requestText } from '../../support/rawHttp.ts';
import { openSocket } from '../../support/rawSocket.ts';
import { openTestDoor } from '../../support/testDoor.ts';
import { startFakeServer } from './FakeRoom.ts';
import { fakeRoutes } from './fakeRoutes.ts';

/** How many connections a process has, and for how long one may say nothing. */

const ping = requestText('GET', '/api/v1/ping');

describe('connections', () => {
  test('beyond the bound are closed at once; those before it are served, and leave room when they go', async () => {
    await using door = await openTestDoor({ routes: fakeRoutes, transport: { maxConnections: 50 } });
    const first = await Promise.all(
      Array.from({ length: 50 }, (_, i) => openRaw(door.port, `127.0.0.${i + 1}`)),
    );
    for (let i = 0; i < 3; i++) expect(await (await openRaw(door.port)).closed()).toBe(true);
    for (const connection of [first[0]!, first[49]!]) {
      connection.send(ping);
      expect((await connection.answers(1))[0]?.status).toBe(200);
    }
    expect(door.log.lines).toMatchObject([{ level: 'warn', fields: { max: 50, refused: 1 } }]);
    for (const connection of first) connection.destroy();
    await eventually(async () => (await fetch(`${door.url}/api/v1/ping`)).status).toBe(200);
    const later = await Promise.all(Array.from({ length: 30 }, () => openRaw(door.port)));
    for (const connection of later) connection.send(ping);
    for (const connection of later) expect((await connection.answers(1))[0]?.status).toBe(200);
    for (const connection of later) connection.destroy();
  });

  /** Opens `count` from an address; resolves with those that are left open. */
  const openMany = async (port: number, count: number, address: string) => {
    const opened = await Promise.all(Array.from({ length: count }, () => openRaw(port, address)));
    const closed = await Promise.all(opened.map((connection) => connection.closed(500)));
    return opened.filter((_, i) => !closed[i]);
  };

  test('IN-07: while there are many, one address has not all of them, and others are served', async () => {
    const clock = new FakeClock();
    await using door = await openTestDoor({ routes: fakeRoutes, transport: { maxConnections: 40, clock } });
    // Three quarters of all before anybody asks whose they are, and two more.
    expect(await openMany(door.port, 60, '127.0.0.1')).toHaveLength(32);
    const other = await openRaw(door.port, '127.0.0.2');
    other.send(ping);
    expect((await other.answers(1))[0]?.status).toBe(200);
    expect(await openMany(door.port, 10, '127.0.0.2')).toHaveLength(1);
    clock.advance(59_999);
    expect(await openMany(door.port, 2, '127.0.0.1')).toHaveLength(0);
    clock.advance(1);
    expect(await openMany(door.port, 10, '127.0.0.1')).toHaveLength(2);
  });

  test('of our own proxies are everybody’s, and addresses that count as one share', async () => {
    await using door = await openTestDoor({
      routes: fakeRoutes,
      transport: {
        maxConnections: 40,
        trustedProxies: ['127.0.0.9'],
        addressKey: (address) => address.split('.').slice(0, 3).join('.'),
      },
    });
    await openMany(door.port, 30, '127.0.0.1');
    expect(await openMany(door.port, 1, '127.0.0.2')).toHaveLength(1);
    expect(await openMany(door.port, 3, '127.0.0.3')).toHaveLength(1);
    expect(await openMany(door.port, 20, '127.0.0.9')).toHaveLength(8);
  });

  test('that became sockets count once, for as long as they are open', async () => {
    await using server = await startFakeServer({ maxConnections: 3 });
    const open = async () => openSocket(server.port, await server.seat());
    const sockets = [await open(), await open(), await open()];
    expect(await (await openRaw(server.port)).closed()).toBe(true);
    for (const socket of sockets) socket.destroy();
    await eventually(() => server.transport.socketCount).toBe(0);
    const again = await Promise.all(Array.from({ length: 3 }, () => openRaw(server.port, '127.0.0.2')));
    for (const connection of again) {
      connection.send(requestText('GET', '/nothing', { connection: 'close' }));
      await connection.closed();
    }
    const last = await open();
    expect(server.transport.socketCount).toBe(1);
    last.destroy();
  });
});

test('IN-07: a connection on which no request arrives in full is closed within fifteen seconds', {
  timeout: 30_000,
}, async () => {
  await using door = await openTestDoor({ routes: fakeRoutes });
  const connections = await Promise.all(Array.from({ length: 3 }, () => openRaw(door.port)));
  const [, half, slow] = connections;
  half!.send('GET /api/v1/ping HTTP/1.1\r\nhost:');
  slow!.send('GET /api/v1/ping HTTP/1.1\r\nx: ');
  const drip = setInterval(() => slow!.send('x'), 1_000);
  const closed = await Promise.all(connections.map((connection) => connection.closed(15_000)));
  clearInterval(drip);
  expect(closed).toEqual([true, true, true]);
});
