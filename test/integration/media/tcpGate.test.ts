/** What comes to a media worker over TCP. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MAX_FRAME_BYTES, TcpGate } from '../../../src/media/TcpGate.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/freePort.ts';

let worker: Server;
let gate: TcpGate;
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
  gate = await TcpGate.open({ listenIp: '127.0.0.1', port, to: (worker.address() as AddressInfo).port });
});
afterEach(() => {
  gate.close();
  worker.close();
});

async function dial(): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

function frame(length: number): Buffer {
  const bytes = Buffer.alloc(2 + length, length % 251);
  bytes.writeUInt16BE(length, 0);
  return bytes;
}

describe('the TCP half of a media worker’s port', () => {
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

  test('says that its port is taken', async () => {
    await expect(TcpGate.open({ listenIp: '127.0.0.1', port, to: 1 })).rejects.toThrow('EADDRINUSE');
  });
});
