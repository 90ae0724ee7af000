/** Calls of two, with nothing but a socket at each end. */
import type { MeasuredDuet, TestPerson } from './densityServer.ts';
import { seatPath, ThinSocket } from './densitySocket.ts';

export interface CallOfTwo {
  id: string;
  sockets: [ThinSocket, ThinSocket];
}

/** Two people match, one calls, both sit in the room; it rings until `answer`. */
export async function callOfTwo(
  duet: MeasuredDuet,
  [ann, bob]: readonly [TestPerson, TestPerson],
  onFrame: [(frame: Buffer) => void, (frame: Buffer) => void] = [() => {}, () => {}],
): Promise<CallOfTwo> {
  await duet.post(ann, `/matches/like/${bob.id}`);
  const { match } = await duet.post(bob, `/matches/like/${ann.id}`);
  const { call } = await duet.post(ann, `/calls/initiate/${match.id}`, {});
  return {
    id: call.id,
    sockets: [await sitIn(duet, call.id, ann, onFrame[0]), await sitIn(duet, call.id, bob, onFrame[1])],
  };
}

/** Joins a call, with another seat where one was lost to a busy machine, as every client does. */
async function sitIn(
  duet: MeasuredDuet,
  callId: string,
  person: TestPerson,
  onFrame: (frame: Buffer) => void,
): Promise<ThinSocket> {
  for (let tries = 1; ; tries++) {
    const { seat } = await duet.post(person, `/calls/${callId}/join`);
    try {
      return await ThinSocket.open(duet.server.port, seatPath(seat, person.token), { onFrame });
    } catch (error) {
      if (tries === 3) throw error;
      console.log(`a seat was lost: ${error}`);
    }
  }
}
