/** What comes to a media worker over TCP. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MAX_FRAME_BYTES, MAX_STRANGERS, STRANGE_MS, TcpGate } from '../../../src/media/TcpGate.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/FakeClock.ts';
import { freePort } from '../../support/freePort.ts';
import { bindingRequest } from '../../support/stunCheck.ts';
import { ANN, createCall, startWorkers } from './harness.ts';

let worker: Server;
let gate: TcpGate;
let clock: FakeClock;
let port: number;
/** What reached the worker's side, by connection. */
let heard: Buffer[];
let inside: Socket[];

beforeEach(async () => {
  heard = [];
  inside = [];
  worker = createServer((socket) => {
    const nth = inside.push(socket) - 1;
    heard.push(Buffer.alloc(0));
    socket.on('data', (chunk: Buffer) => {
      heard[nth] = Buffer.concat([heard[nth]!, chunk]);
    });
    socket.on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(worker, 'listening');
  port = await freePort();
  clock = new FakeClock();
  const to = (worker.address() as AddressInfo).port;
  // All of 127.0.1.0/24 is one household.
  const addressKey = (address: string) => address.replace(/^(127\.0\.1)\..*/, '$1');
  gate = await TcpGate.open({ listenIp: '127.0.0.1', port, to, clock, addressKey });
});
afterEach(() => {
  gate.close();
  worker.close();
});

async function dial(localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

function frame(length: number): Buffer {
  const bytes = Buffer.alloc(2 + length, length % 251);
  bytes.writeUInt16BE(length, 0);
  return bytes;
}

/** The server that listens there, as Node knows it. */
function listening(): Server {
  // biome-ignore lint/suspicious/noExplicitAny: Node's own list, which its types do not have
  const handles: Server[] = (process as any)._getActiveHandles();
  return handles.find((one) => one instanceof Server && (one.address() as AddressInfo)?.port === port)!;
}

describe('the TCP half of a media worker’s port', () => {
  test('outlives a connection that the system could not take', async () => {
    listening().emit('error', Object.assign(new Error('accept ENOBUFS'), { code: 'ENOBUFS' }));
    const socket = await dial();
    socket.write(frame(20));
    await eventually(() => heard[0]?.length).toBe(22);
    socket.destroy();
  });

  test('passes frames on as they are, however they are cut, and what comes back', async () => {
    const frames = Buffer.concat([0, 1, 255, 256, 1_200, MAX_FRAME_BYTES, 20].map(frame));
    for (const [nth, step] of [1, 2, 3, 1_000, frames.length].entries()) {
      const socket = await dial();
      await eventually(() => inside).toHaveLength(nth + 1);
      for (let at = 0; at < frames.length; at += step) socket.write(frames.subarray(at, at + step));
      await eventually(() => heard.at(-1)?.equals(frames)).toBe(true);
      const answered = once(socket, 'data');
      inside.at(-1)!.write(frame(MAX_FRAME_BYTES + 1));
      expect(((await answered)[0] as Buffer).readUInt16BE(0)).toBe(MAX_FRAME_BYTES + 1);
      socket.destroy();
    }
  });

  test('closes a connection that announces a long frame, and passes nothing of it on', async () => {
    for (const cut of [false, true]) {
      const socket = await dial();
      const closed = once(socket, 'close');
      socket.write(frame(100));
      await eventually(() => heard.at(-1)?.length).toBe(102);
      const long = frame(65_518);
      if (cut) {
        socket.write(long.subarray(0, 1));
        await pause(50);
        socket.write(long.subarray(1));
      } else {
        socket.write(long);
      }
      await closed;
      expect(heard.at(-1)!.length).toBeLessThanOrEqual(103);
      await eventually(() => inside.at(-1)!.destroyed).toBe(true);
    }
  });

  test('takes the other side along, whichever ends', async () => {
    const socket = await dial();
    await eventually(() => inside).toHaveLength(1);
    const closed = once(socket, 'close');
    inside[0]!.destroy();
    await closed;
    const other = await dial();
    await eventually(() => inside).toHaveLength(2);
    other.destroy();
    await eventually(() => inside[1]!.destroyed).toBe(true);
  });

  test('of one address, so many have a place that the worker has not answered; whom it answers is none of them', async () => {
    const dialAll = (count: number, localAddress?: string) =>
      Promise.all(Array.from({ length: count }, () => dial(localAddress)));
    const strangers = await dialAll(MAX_STRANGERS);
    await eventually(() => inside).toHaveLength(MAX_STRANGERS);
    await once(await dial(), 'close');
    expect(inside).toHaveLength(MAX_STRANGERS);
    // Others are not kept out; nor are those of the same address, once some are known or have gone.
    await dialAll(MAX_STRANGERS, '127.0.1.7');
    await eventually(() => inside).toHaveLength(2 * MAX_STRANGERS);
    await once(await dial('127.0.1.8'), 'close');
    inside[0]!.write(frame(20));
    const known = await Promise.race(
      strangers.map(async (socket) => {
        await once(socket, 'data');
        return socket;
      }),
    );
    await dial();
    await eventually(() => inside).toHaveLength(2 * MAX_STRANGERS + 1);
    strangers.find((socket) => socket !== known)!.destroy();
    await eventually(() => inside.filter((socket) => socket.destroyed)).toHaveLength(1);
    await dial();
    await eventually(() => inside).toHaveLength(2 * MAX_STRANGERS + 2);
  });

  test('closes whom the worker does not answer, however much they send', async () => {
    const [known, stranger] = [await dial(), await dial()];
    await eventually(() => inside).toHaveLength(2);
    stranger.write(frame(20));
    known.write(frame(21));
    await eventually(() => heard.map((bytes) => bytes.length).sort()).toEqual([22, 23]);
    const nth = heard.findIndex((bytes) => bytes.length === 23);
    const answered = once(known, 'data');
    inside[nth]!.write(frame(20));
    await answered;
    const closed = once(stranger, 'close');
    clock.advance(STRANGE_MS);
    await closed;
    await eventually(() => inside[1 - nth]!.destroyed).toBe(true);
    known.write(frame(22));
    await eventually(() => heard[nth]!.length).toBe(23 + 24);
    const again = once(known, 'data');
    inside[nth]!.write(frame(20));
    await again;
  });

  test('says that its port is taken', async () => {
    await expect(TcpGate.open({ listenIp: '127.0.0.1', port, to: 1, clock })).rejects.toThrow('EADDRINUSE');
  });
});

describe('a media worker behind it', () => {
  test('answers whoever shows the credentials of a call, and nobody else', async () => {
    const workers = await startWorkers();
    const { call } = await createCall(workers);
    try {
      const { iceParameters } = await call.open(ANN, 'send');
      const { usernameFragment, password } = iceParameters;
      port = workers.processes[0]!.port;
      const dialWith = async (request: Buffer) => {
        const socket = await dial();
        const bytes = Buffer.concat([Buffer.alloc(2), request]);
        bytes.writeUInt16BE(request.length, 0);
        socket.write(bytes);
        return socket;
      };
      const heardOf: string[] = [];
      const listen = (socket: Socket, name: string) => socket.on('data', () => heardOf.push(name));
      listen(await dialWith(bindingRequest('nobody', password)), 'a stranger');
      listen(await dialWith(randomBytes(100)), 'garbage');
      for (let nth = 1; nth <= 3; nth++) {
        listen(await dialWith(bindingRequest(usernameFragment, password)), 'Ann');
        await eventually(() => heardOf).toEqual(Array(nth).fill('Ann'));
      }
    } finally {
      call.close();
      await workers.close();
    }
  });
});
