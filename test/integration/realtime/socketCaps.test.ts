/** WS-25 and WS-31: how many sockets may be open, and for how long without a seat. */
import { afterEach, describe, expect, test } from 'vitest';
import { useApp } from '../../support/app.ts';
import { type Person, request } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { metricOf } from '../../support/metrics.ts';
import { openSocket, type RawSocket } from '../../support/rawSocket.ts';
import { newPerson } from '../../support/signedIn.ts';

const PER_USER = 3;
const PER_ADDRESS = 40;
const app = useApp({
  LIMIT_SOCKETS_PER_USER: `${PER_USER}`,
  LIMIT_SOCKETS_PER_ADDRESS: `${PER_ADDRESS}`,
  TRUSTED_PROXIES: '127.0.0.1',
});
let open: RawSocket[] = [];

afterEach(async () => {
  for (const socket of open) socket.destroy();
  open = [];
  await eventually(socketCount).toBe(0);
});

const socketCount = () => metricOf(app.url, 'duet_sockets');

async function socketAt(path: string, from = '127.0.0.1'): Promise<RawSocket> {
  const socket = await openSocket(Number(new URL(app.url).port), path, { 'x-forwarded-for': from });
  open.push(socket);
  return socket;
}

async function inboxOf(person: Person, from?: string): Promise<RawSocket> {
  const { seat } = await person.ok('POST', '/realtime/inbox');
  return socketAt(
    `/${seat.processId}/${seat.roomId}?sessionId=${seat.sessionId}&_authToken=${person.token}`,
    from,
  );
}

describe('WS-31', () => {
  test('sockets of one person are capped; another person, and the first after closing one, are not', async () => {
    const [ann, bob] = await Promise.all([newPerson(app), newPerson(app)]);
    const sockets = [];
    for (let i = 0; i < PER_USER; i++) sockets.push(await inboxOf(ann, `203.0.113.${i}`));
    expect(sockets.map(({ status }) => status)).toEqual(Array(PER_USER).fill(101));
    const refused = await inboxOf(ann, '203.0.113.99');
    expect(refused.status).toBe(429);
    expect(JSON.parse(refused.body)).toMatchObject({ status: 429, code: 'TOO_MANY_REQUESTS' });
    expect((await inboxOf(bob)).status).toBe(101);
    sockets[0]!.destroy();
    await eventually(socketCount).toBe(PER_USER);
    expect((await inboxOf(ann, '203.0.113.99')).status).toBe(101);
  });

  test('sockets of one address are capped; another address is not, and no header makes an address', async () => {
    const nobody = '/process/room?sessionId=nobodys-seat-but-long-enough';
    const people = await Promise.all(Array.from({ length: 14 }, () => newPerson(app)));
    const seated = [];
    for (let i = 0; i < PER_ADDRESS; i++) seated.push(await inboxOf(people[i % 14]!, '198.51.100.7'));
    expect(seated.filter(({ status }) => status === 101)).toHaveLength(PER_ADDRESS);
    expect((await socketAt(nobody, '198.51.100.7')).status).toBe(429);
    // The rightmost address is what our own proxy saw; what stands before it is the client's invention.
    expect((await socketAt(nobody, '192.0.2.1, 198.51.100.7')).status).toBe(429);
    expect((await inboxOf(people[13]!, '198.51.100.8')).status).toBe(101);
  });
});

test('WS-25: sockets without a seat are closed at once, thousands of them, and disturb nobody', async () => {
  const ann = await newPerson(app);
  const COUNT = 2_000;
  for (let done = 0; done < COUNT; done += 40) {
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const socket = await socketAt(
          `/process/room?sessionId=seat-number-${done + i}`,
          `10.0.${done / 40}.${i}`,
        );
        expect(socket.status).toBe(101);
        if (socket.closeCode() === undefined)
          await new Promise<void>((closed) => socket.connection.socket.once('close', () => closed()));
      }),
    );
    open = [];
  }
  await eventually(socketCount).toBe(0);
  expect((await request(app.url, 'GET', '/health/liveness')).status).toBe(200);
  const inbox = await ann.inbox();
  expect(await inbox.room.request('inbox:ack', { seq: 0 })).toEqual({});
  await ann.leave();
});
