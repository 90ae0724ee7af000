/**
 * A program for Colyseus' own load tester (https://docs.colyseus.io/tools/loadtest): people who register, sign in and
 * stay in their inboxes, or call each other in pairs and stay in the call, each saying something every second.
 *
 *     LIMIT_LOGIN=100000 LIMIT_ANONYMOUS=100000 LIMIT_SOCKETS_PER_ADDRESS=100000 npm start
 *     npm run node -- loadtest/colyseus.ts --endpoint http://127.0.0.1:3000 --room inbox --numClients 200
 *     npm run node -- loadtest/colyseus.ts --endpoint http://127.0.0.1:3000 --room call --numClients 40
 *
 * Draws its figures in a terminal; `q` ends it. New accounts are verified by the mailbox of development, so it is for a
 * server of one's own.
 *
 * The load tester ends at 0.17; with the SDK of that version it could read the state of no room of 0.18, so package.json
 * gives it ours (`overrides`). It counts clients that come by one of the SDK's calls for matchmaking, which Duet has closed:
 * seats come by HTTP. So one of those calls is answered here, with the seat.
 */
import { cli, type Options } from '@colyseus/loadtest';
import { Client, type Room, type SeatReservation } from '@colyseus/sdk';
import type { Person } from '../test/support/client.ts';
import { registerMatch, registerPerson } from '../test/support/signedIn.ts';

const SAY_EVERY_MS = 1_000;
/** Who is called and has not come yet. */
let called: { person: Person; callId: string } | undefined;

cli(async ({ endpoint, roomName, clientId }: Options) => {
  if (roomName === 'inbox') {
    const person = await registerPerson(endpoint);
    const { seat } = await person.ok('POST', '/realtime/inbox');
    await sit(endpoint, person, seat);
    return;
  }
  if (roomName !== 'call') throw new Error('--room is "inbox" or "call"');
  const room = await (clientId % 2 === 0 ? makeCall(endpoint) : answerCall(endpoint));
  room.onMessage('*', () => {});
  let nth = 0;
  setInterval(() => {
    if (room.connection.isOpen) room.send('call:e2ee_state', { state: nth++ % 2 === 0 ? 'on' : 'off' });
  }, SAY_EVERY_MS);
});

async function makeCall(endpoint: string): Promise<Room> {
  const { ann, bob, matchId } = await registerMatch(endpoint);
  const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  called = { person: bob, callId: call.id };
  return sit(endpoint, ann, seat);
}

async function answerCall(endpoint: string): Promise<Room> {
  const { person, callId } = called!;
  const { seat } = await person.ok('POST', `/calls/${callId}/answer`, {});
  return sit(endpoint, person, seat);
}

/** As `Client.joinById`, which the load tester counts, on a seat that is there already. */
function sit(endpoint: string, { token }: Person, seat: SeatReservation): Promise<Room> {
  const client = new Client(endpoint);
  client.auth.token = token;
  Object.assign(client, { createMatchMakeRequest: () => client.consumeSeatReservation(seat) });
  return client.joinById(seat.roomId);
}
