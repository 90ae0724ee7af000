/**
 * The server of a test, made to play tricks: with the keys that it relays, and with what it says of the two people. Does
 * as it should until something is put into `relay`.
 */
import { afterEach } from 'vitest';
import { BaseRoom } from '../../../rooms/BaseRoom.ts';
import { type PublicKey, PublicKeys } from '../../../src/calling/PublicKeys.ts';
import { DuetError } from '../../../src/errors.ts';
import { CallMedia } from '../../../src/media/CallMedia.ts';
import type { Json } from '../../support/client.ts';

/** A room, as its own process sees it. */
export type RoomInside = {
  roomId: string;
  clients: { leave(code: number): void }[];
  say(type: string, payload: Json, userId?: string): void;
  patch(): void;
  state?: { people?: Map<string, { connected: boolean; e2eeAble: boolean }> };
};

/** What a server does that is not to be trusted: changes what it says (undefined: says nothing), or its state. */
export const relay: {
  say?: ((type: string, payload: Json) => Json | undefined) | undefined;
  beforePatch?: ((room: RoomInside) => void) | undefined;
  /** Takes what the two say for its own devices, whether or not it answers what the other one said. */
  takesAll?: boolean | undefined;
  /** So many keys are not taken: the server has to wait for something. */
  refusals: number;
  /** So many times nobody is given what the other sends: the media worker is too slow. */
  unheard: number;
  /** Whose client gets ready to hear so slowly that the other is sending by then. */
  slow?: string | undefined;
} = { refusals: 0, unheard: 0 };
const rooms = BaseRoom.prototype as unknown as RoomInside;
const keys = PublicKeys.prototype as Pick<PublicKeys, 'of' | 'take'>;
/** The server's own, unchanged ways. */
export const honest = { say: rooms.say, patch: rooms.patch, of: keys.of, take: keys.take };
rooms.say = function (type, payload, userId) {
  const said = relay.say ? relay.say(type, payload) : payload;
  if (said !== undefined) honest.say.call(this, type, said, userId);
};
rooms.patch = function () {
  relay.beforePatch?.(this);
  honest.patch.call(this);
};
// What who joins later is told.
keys.of = function (userId) {
  const key = honest.of.call(this, userId);
  const said = key && relay.say ? relay.say('call:e2ee_key', { userId, ...key }) : key;
  if (!said) return undefined;
  const { userId: _, ...relayed } = said;
  return relayed as PublicKey;
};
keys.take = function (userId, key) {
  if (relay.refusals > 0) {
    relay.refusals--;
    throw new DuetError('UNAVAILABLE', { retryAfterSec: 1 });
  }
  return relay.takesAll || honest.take.call(this, userId, key);
};

const { consume, prepare } = CallMedia.prototype;
CallMedia.prototype.prepare = function (userId, ...given) {
  const run = () => prepare.call(this, userId, ...given);
  if (userId !== relay.slow) return run();
  const late = async () => {
    while (this.producers().every((one) => one.userId === userId)) await new Promise(setImmediate);
    return run();
  };
  return late() as never;
};
CallMedia.prototype.consume = function (...given) {
  if (relay.unheard > 0) {
    relay.unheard--;
    throw new DuetError('UNAVAILABLE');
  }
  return consume.apply(this, given);
};

afterEach(() => {
  relay.refusals = 0;
  relay.unheard = 0;
  relay.slow = undefined;
  relay.takesAll = undefined;
  relay.say = undefined;
  relay.beforePatch = undefined;
});
