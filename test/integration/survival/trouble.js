/**
 * Preloaded into a server, what must not happen to one: rooms of the type FAIL_TO_END throw when they are asked to end,
 * and SIGUSR2 fills its memory.
 */
import { Room } from '@colyseus/core';

const end = Room.prototype.onBeforeShutdown;
Room.prototype.onBeforeShutdown = function () {
  if (this.roomName === process.env.FAIL_TO_END) throw new Error('this room does not end');
  end.call(this);
};

const MB = 2 ** 20;
const kept = [];
process.on('SIGUSR2', () => {
  // Eight bytes a number: slow enough for the rest of the program to go on meanwhile.
  setInterval(() => kept.push(new Array(MB / 2).fill(kept.length)), 20);
});
