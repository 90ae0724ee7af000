import { Client } from '@colyseus/sdk';
import { expect } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { openSocket, type RawSocket } from '../../support/rawSocket.ts';
import type { FakeServer } from './FakeRoom.ts';

/** Colyseus' protocol codes that the tests speak by hand. */
export const JOIN_ROOM = 10;
export const ERROR = 11;

/** Joins on a seat of its own, with the SDK that people use. */
export async function joinWithSdk(server: FakeServer) {
  const url = new URL(await server.seat(), 'ws://x');
  const [, processId, roomId] = url.pathname.split('/');
  const sdk = new Client(`ws://127.0.0.1:${server.port}`);
  const seat = { name: 'fake', roomId, processId, sessionId: url.searchParams.get('sessionId')! };
  return sdk.consumeSeatReservation(seat as never);
}

/** Joins by hand and leaves the acknowledgement to the caller. */
export async function join(server: FakeServer): Promise<RawSocket> {
  const socket = await openSocket(server.port, await server.seat());
  await eventually(() => socket.frames()[0]?.payload[0]).toBe(JOIN_ROOM);
  return socket;
}

export async function expectOthersUndisturbed(server: FakeServer): Promise<void> {
  const room = await joinWithSdk(server);
  const back = new Promise<number[]>((resolve) => {
    room.onMessage('relayed', (bytes: Uint8Array) => resolve([...bytes]));
  });
  room.sendBytes('relay', Buffer.from([1, 2, 3]));
  expect(await back).toEqual([1, 2, 3]);
  await room.leave();
}
