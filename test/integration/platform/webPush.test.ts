/** Our server calls where devices have it call: what is called is what was allowed, and cannot hold or fill us. */
import { createECDH, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { Agent } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newVapidKeys, PushRefused, type PushTarget, WebPush } from '../../../src/platform/WebPush.ts';
import { selfSigned } from '../../support/tlsCertificate.ts';

let service: Server;
let push: WebPush;
let host: string;
/** What the push service does with whoever calls, after it has read something of them. */
let answer: (socket: TLSSocket) => void;
let calls = 0;

beforeAll(async () => {
  const { folder, cert, key } = selfSigned();
  service = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => {
    calls += 1;
    socket.on('error', () => {});
    socket.once('data', () => answer(socket));
  });
  rmSync(folder, { recursive: true });
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  host = `127.0.0.1:${(service.address() as AddressInfo).port}`;
  push = new WebPush({
    vapid: newVapidKeys(),
    subject: 'mailto:push@example.org',
    hosts: [host, '*.notify.windows.com'],
    agent: new Agent({ rejectUnauthorized: false, keepAlive: true }),
  });
});
afterAll(() => service.close());

function send(endpoint = `https://${host}/x`, keys: Partial<PushTarget> = {}): Promise<'sent' | 'gone'> {
  const target = {
    endpoint,
    p256dh: createECDH('prime256v1').generateKeys('base64url'),
    auth: randomBytes(16).toString('base64url'),
    ...keys,
  };
  return push.send(target, { type: 'call:incoming' }, 30);
}

const closedOf = (socket: TLSSocket) => new Promise<void>((done) => socket.once('close', () => done()));

/** Writes as fast as the other side takes it, for as long as there is one. Resolves when there is none. */
async function writeForEver(socket: TLSSocket, piece: string): Promise<void> {
  const closed = closedOf(socket);
  const write = () => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on('drain', write);
  write();
  await closed;
}

test.each([
  [200, 'sent'],
  [404, 'gone'],
])(
  'an answer of %i is known by its status: the rest, without an end, is not read',
  async (status, outcome) => {
    let closed: Promise<void> | undefined;
    answer = (socket) => {
      socket.write(`HTTP/1.1 ${status} OK\r\nTransfer-Encoding: chunked\r\n\r\n`);
      closed = writeForEver(socket, `10000\r\n${'x'.repeat(65_536)}\r\n`);
    };
    expect(await send()).toBe(outcome);
    await closed;
  },
);

test('an answer that never comes, though something always does, is given up on', async () => {
  let closed: Promise<void> | undefined;
  answer = (socket) => {
    closed = closedOf(socket);
    socket.write('HTTP/1.1 200 OK\r\nx-slow: ');
    const drip = setInterval(() => socket.write('x'), 250);
    socket.once('close', () => clearInterval(drip));
  };
  await expect(send()).rejects.toThrow();
  await closed;
}, 20_000);

test.each([302, 429, 503])('an answer of %i is a failure, and leads nowhere else', async (status) => {
  calls = 0;
  answer = (socket) => {
    socket.end(`HTTP/1.1 ${status} No\r\nLocation: https://${host}/y\r\nContent-Length: 0\r\n\r\n`);
  };
  await expect(send()).rejects.toThrow(`${status}`);
  expect(calls).toBe(1);
});

test('what was stored before the rule is not called', async () => {
  calls = 0;
  const { port } = new URL(`https://${host}`);
  for (const endpoint of [
    `https://127.0.0.1:${port};.notify.windows.com/x`,
    `https://127.0.0.1;.notify.windows.com:${port}/x`,
    `https://localhost:${port}/x`,
    `http://${host}/x`,
    `https://user@${host}/x`,
    'no address',
  ]) {
    await expect(send(endpoint)).rejects.toThrow('not a push service');
  }
  expect(calls).toBe(0);
});

test('… nor tried again with keys that nothing can be encrypted for', async () => {
  calls = 0;
  for (const keys of [{ p256dh: 'A'.repeat(87) }, { p256dh: 'x' }, { auth: 'x' }])
    await expect(send(undefined, keys)).rejects.toThrow(PushRefused);
  expect(calls).toBe(0);
});
