/** A private surface of Colyseus: where a room's handlers are, and that frames are dispatched by what is put there. */
import { getMessageBytes, Protocol, Room } from '@colyseus/core';
import { expect, test } from 'vitest';
import { handlersOf, shareHandlers } from '../../../src/actors/colyseus.ts';

interface Receiving {
  _onMessage(client: object, frame: Buffer): void;
}

const frame = (type: string, payload: object) => getMessageBytes.raw(Protocol.ROOM_DATA, type, payload);

test('a room dispatches by the table of another one of its kind', () => {
  const [first, second] = [new Room(), new Room()];
  const heard: unknown[] = [];
  first.onMessage('greet', (client, payload) => heard.push(client.sessionId, payload));
  first.onMessage('*', (_client, type) => heard.push(type));
  shareHandlers(second, handlersOf(first));
  expect(handlersOf(second)).toBe(handlersOf(first));
  const client = { sessionId: 'ann', leave() {} };
  (second as unknown as Receiving)._onMessage(client, frame('greet', { loud: true }));
  (second as unknown as Receiving)._onMessage(client, frame('wave', {}));
  expect(heard).toEqual(['ann', { loud: true }, 'wave']);
});
