/** Calls of two, with nothing but a socket at each end. */
import type { MeasuredDuet, TestPerson } from './densityServer.ts';
import { seatPath } from './densitySocket.ts';

/** `S` is what `open` makes of the place of a seat. */
export interface CallOfTwo<S> {
  id: string;
  sockets: [S, S];
}

/** Two people match, one calls, both sit in the room; it rings until `answer`. */
export async function callOfTwo<S>(
  duet: MeasuredDuet,
  [ann, bob]: readonly [TestPerson, TestPerson],
  open: (path: string) => Promise<S>,
): Promise<CallOfTwo<S>> {
  await duet.post(ann, `/matches/like/${bob.id}`);
  const { match } = await duet.post(bob, `/matches/like/${ann.id}`);
  const { call } = await duet.post(ann, `/calls/initiate/${match.id}`, {});
  return {
    id: call.id,
    sockets: [await sitIn(duet, call.id, ann, open), await sitIn(duet, call.id, bob, open)],
  };
}

/** Joins a call, with another seat where one was lost to a busy machine, as every client does. */
async function sitIn<S>(
  duet: MeasuredDuet,
  callId: string,
  person: TestPerson,
  open: (path: string) => Promise<S>,
): Promise<S> {
  for (let tries = 1; ; tries++) {
    const { seat } = await duet.post(person, `/calls/${callId}/join`);
    try {
      return await open(seatPath(seat, person.token));
    } catch (error) {
      if (tries === 3) throw error;
      console.log(`a seat was lost: ${error}`);
    }
  }
}
