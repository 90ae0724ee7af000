import type { Calls } from '../calling/Calls.ts';
import type { Call } from '../calling/state.ts';
import type { PersonCommand } from '../calling/transitions.ts';
import type { Actors } from './Actors.ts';

export interface CallCommandsOptions {
  calls: Calls;
  actors: Actors;
}

/** What people command from outside a call's room: the call's actor answers, wherever it is, and the rules once it is over. */
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
}
