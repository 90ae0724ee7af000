/**
 * Preloaded into a measured Duet: publishes events on its bus as a commit does, as fast as it is told to on a socket of
 * its own (`TAP_PORT`). So many commits a second no machine of this size makes; from the bus on everything is the
 * program's. The first line is a list of user ids; each record after it is the index of one of them and when the event
 * was due.
 */
import { createServer, type Socket } from 'node:net';
import { InboxHub } from '../src/events/InboxHub.ts';
import type { StoredEvent } from '../src/events/outbox.ts';
import { MemoryBus } from '../src/platform/Bus.ts';
import { readRecord } from './deliveryFrames.ts';

/** Makes an event as long as those of performance measurements elsewhere: 120 bytes, more or less. */
const FILLER = 'x'.repeat(40);

let bus: MemoryBus | undefined;
const subscribe = MemoryBus.prototype.subscribe;
MemoryBus.prototype.subscribe = function (this: MemoryBus, topic, listener) {
  bus = this;
  return subscribe.call(this, topic, listener);
};

// No log has what is published here: compared with it, everybody would be told to reload.
InboxHub.prototype.reconcile = async () => {};

createServer((socket) => serve(socket)).listen(Number(process.env.TAP_PORT), '127.0.0.1');

const lastSeq = new Map<string, number>();

function serve(socket: Socket): void {
  let userIds: string[] | undefined;
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    if (userIds === undefined) {
      const end = bytes.indexOf('\n');
      if (end >= 0) userIds = JSON.parse(bytes.toString('utf8', 0, end));
      bytes = end < 0 ? bytes : bytes.subarray(end + 1);
    }
    if (userIds !== undefined) {
      for (let first = readRecord(bytes); first !== undefined; first = readRecord(bytes)) {
        bus!.publish('inbox', [eventFor(userIds[first.index]!, first.mark)]);
        bytes = first.rest;
      }
    }
    rest = bytes;
  });
  socket.on('error', () => {});
}

function eventFor(userId: string, mark: string): StoredEvent {
  const seq = (lastSeq.get(userId) ?? 0) + 1;
  lastSeq.set(userId, seq);
  return {
    userId,
    seq,
    epoch: 1,
    at: Date.now(),
    type: 'match:ready',
    payload: { matchId: mark + FILLER },
  };
}
