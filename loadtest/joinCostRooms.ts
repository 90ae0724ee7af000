/**
 * Preloaded into a measured Duet: a line with a number on a socket of its own (`ROOMS_PORT`) makes idle rooms until
 * there are as many, and is answered with a line when there are.
 */
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { matchMaker, Room } from '@colyseus/core';
import { createLocalRoom } from '../src/actors/colyseus.ts';
import { newId } from '../src/ids.ts';

const NEVER_MS = 2 ** 31 - 1;

class IdleRoom extends Room {
  override onCreate(): void {
    this.patchRate = NEVER_MS;
    this.autoDispose = false;
  }
}

let made = 0;
createServer((socket) => {
  createInterface({ input: socket }).on('line', async (line) => {
    matchMaker.defineRoomType('idle', IdleRoom);
    for (; made < Number(line); made++) await createLocalRoom('idle', newId(), {});
    socket.write('made\n');
  });
}).listen(Number(process.env.ROOMS_PORT), '127.0.0.1');
