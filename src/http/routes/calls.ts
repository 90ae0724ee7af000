import { z } from 'zod';
import type { Actors } from '../../actors/Actors.ts';
import type { CallCommands } from '../../actors/CallCommands.ts';
import { SeatView } from '../../actors/shapes.ts';
import type { Calls } from '../../calling/Calls.ts';
import { AnswerCall, CallView, InitiateCall, JoinCall } from '../../calling/shapes.ts';
import type { PersonCommand } from '../../calling/transitions.ts';
import { callView } from '../../calling/view.ts';
import type { Clock } from '../../clock.ts';
import { newId } from '../../ids.ts';
import { Id } from '../../shapes.ts';
import { type Once, type Route, route } from '../route.ts';

export interface CallRoutesOptions {
  calls: Calls;
  callCommands: CallCommands;
  actors: Actors;
  clock: Clock;
}

const tags = ['calls'];
const params = z.object({ callId: Id });
const CallAnswer = z.strictObject({ call: CallView });
const CallAndSeat = z.strictObject({ call: CallView, seat: SeatView });

export function callRoutes({ calls, callCommands, actors, clock }: CallRoutesOptions): Route[] {
  const view = (call: Parameters<typeof callView>[0]) => callView(call, clock.now());
  const give = (once: Once, callId: string, userId: string, command: PersonCommand) =>
    once(async (remember) => {
      await callCommands.give(callId, userId, command, await remember(newId));
    });
  const withSeat = async (callId: string, userId: string, terms?: { returns: boolean }) => {
    await calls.joinable(callId, userId);
    const seat = await actors.callSeat(callId, userId, terms);
    return { call: view(await calls.find(callId, userId)), seat };
  };

  const verb = (
    name: string,
    summary: string,
    given: PersonCommand,
    limit: 'live' | 'safety' = 'live',
  ): Route =>
    route({
      method: 'post',
      path: `/calls/:callId/${name}`,
      summary,
      tags,
      who: 'user',
      limit,
      params,
      status: 200,
      out: CallAnswer,
      run: async ({ auth, params: { callId }, once }) => {
        await give(once, callId, auth.userId, given);
        return { call: view(await calls.find(callId, auth.userId)) };
      },
    });

  return [
    route({
      method: 'post',
      path: '/calls/initiate/:matchId',
      summary: 'Call the other person of a match',
      description:
        'Counts as accepting the match. When both initiate at once, both get the same call. 429 when the two have had so many calls in an hour that nobody answered.',
      tags,
      who: 'user',
      limit: 'decide',
      params: z.object({ matchId: Id }),
      body: InitiateCall,
      status: 201,
      out: CallAndSeat,
      run: async ({ auth, params: { matchId }, body, once }) => {
        const callId = await once(async (remember) => {
          const call = await calls.initiate(matchId, auth.userId, body.media, await remember(newId));
          return call.id;
        });
        return withSeat(callId, auth.userId);
      },
    }),
    route({
      method: 'post',
      path: '/calls/:callId/answer',
      summary: 'Answer a call',
      description:
        'Counts as accepting the match. `media: "video"` consents to the video that the caller asked for.',
      tags,
      who: 'user',
      limit: 'live',
      params,
      body: AnswerCall,
      status: 200,
      out: CallAndSeat,
      run: async ({ auth, params: { callId }, body: { media }, once }) => {
        await give(once, callId, auth.userId, { type: 'answer', ...(media && { media }) });
        return withSeat(callId, auth.userId);
      },
    }),
    verb('reject', 'Decline a call that rings', { type: 'reject' }, 'safety'),
    verb('end', 'Hang up', { type: 'end' }, 'safety'),
    verb('extend', "Ask for more time, or consent to the other's request", { type: 'extend' }),
    verb('upgrade', "Ask for video, or consent to the other's request", { type: 'upgrade' }),
    route({
      method: 'post',
      path: '/calls/:callId/join',
      summary: 'A new seat in a live call, for a client that lost its room',
      description:
        '`returns: true` for a client that asks by itself and not because its person wants it: the join is refused (CONFLICT) where they talk on another device by now.',
      tags,
      who: 'user',
      limit: 'live',
      params,
      body: JoinCall,
      status: 200,
      out: CallAndSeat,
      run: ({ auth, params: { callId }, body: { returns } }) => withSeat(callId, auth.userId, { returns }),
    }),
    route({
      method: 'get',
      path: '/calls/ice-servers',
      summary: 'TURN servers with short-lived credentials, for the participants of a live call',
      tags,
      who: 'user',
      limit: 'live',
      status: 200,
      out: z.strictObject({
        iceServers: z.array(
          z.strictObject({ urls: z.array(z.string()), username: z.string(), credential: z.string() }),
        ),
        ttlSec: z.int(),
      }),
      run: ({ auth }) => calls.iceServers(auth.userId),
    }),
    route({
      method: 'get',
      path: '/calls/:callId',
      summary: 'A call',
      tags,
      who: 'user',
      limit: 'browse',
      params,
      status: 200,
      out: CallAnswer,
      run: async ({ auth, params: { callId } }) => ({ call: view(await calls.find(callId, auth.userId)) }),
    }),
  ];
}
