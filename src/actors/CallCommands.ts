import type { Calls } from '../calling/Calls.ts';
import type { Call } from '../calling/state.ts';
import type { PersonCommand } from '../calling/transitions.ts';
import { DuetError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Actors } from './Actors.ts';

export interface CallCommandsOptions {
  calls: Calls;
  actors: Actors;
  log: Log;
}

/** What is commanded from outside a call's room: the call's actor answers, wherever it is, and the rules once it is over. */
export class CallCommands {
  readonly #options: CallCommandsOptions;

  constructor(options: CallCommandsOptions) {
    this.#options = options;
  }

  /**
   * Gives a person's command. Under the same `id` it is done once, however often it comes. NOT_FOUND for who is not in the
   * call; refusals of the rules; UNAVAILABLE.
   */
  async give(callId: string, userId: string, command: PersonCommand, id?: string): Promise<Call> {
    const { calls, actors } = this.#options;
    const call = await calls.find(callId, userId);
    if (call.phase === 'ended') return calls.afterEnd(call, command);
    return actors.callCommand(callId, { userId, command, ...(id && { id }) }).catch(async (error) => {
      // Over while this was on its way, perhaps by this very command, whose answer was lost with its process.
      const now = error.code === 'CALL_NOT_ACTIVE' ? await calls.find(callId, userId) : call;
      if (now.phase !== 'ended') throw error;
      return calls.afterEnd(now, command);
    });
  }

  /**
   * Ends the live call of a match that has ended. That stands, whatever becomes of this: never throws. Who holds the call
   * severs it with the next renewal of its lease, should it not be reached now.
   */
  async sever(matchId: string): Promise<void> {
    const { calls, actors, log } = this.#options;
    try {
      const call = await calls.liveOf(matchId);
      if (call !== undefined) await actors.callCommand(call.id, { command: { type: 'sever' } });
    } catch (err) {
      const isOver = err instanceof DuetError && (err.code === 'CALL_NOT_ACTIVE' || err.code === 'NOT_FOUND');
      if (!isOver) log.warn({ err, matchId }, 'a call whose match has ended could not be severed at once');
    }
  }
}
