/**
 * Preloaded into the drill's processes: the one thing there that is not the program's own. Scripted people have no
 * microphone, so what tells a call that audio reaches both ends is said here, a moment after the answer (or after
 * the call was taken over). Everything that happens to the call from then on is the program's.
 */
import { CallRoom } from '../rooms/CallRoom.ts';

/** What connecting takes. */
const CONNECT_MS = 300;

const { command, onCreate } = CallRoom.prototype;

function flowSoon(room: CallRoom): void {
  setTimeout(() => void command.call(room, { command: { type: 'media_flowing' } }), CONNECT_MS).unref();
}

CallRoom.prototype.command = async function (given) {
  const answer = await command.call(this, given);
  if (answer?.ok && answer.call.phase === 'connecting') flowSoon(this);
  return answer;
};

CallRoom.prototype.onCreate = async function (options) {
  await onCreate.call(this, options);
  flowSoon(this);
};
