import { availableParallelism } from 'node:os';
import { addressKey } from '../accounts/client.ts';
import { Actors } from '../actors/Actors.ts';
import { CallCommands } from '../actors/CallCommands.ts';
import { processId } from '../actors/colyseus.ts';
import { Keeper } from '../actors/Keeper.ts';
import { CallStore } from '../calling/CallStore.ts';
import { Calls } from '../calling/Calls.ts';
import type { Config } from '../config.ts';
import { keepMonths } from '../events/retention.ts';
import { Idempotency } from '../http/Idempotency.ts';
import { Matches } from '../matching/Matches.ts';
import { MediaWorkers } from '../media/MediaWorkers.ts';
import { Blocks } from '../safety/Blocks.ts';
import type { PeopleServices } from './people.ts';
import type { Stores } from './stores.ts';

export type CallServices = Awaited<ReturnType<typeof openCalls>>;

/** Matches, calls, their actors and media. */
export async function openCalls(
  config: Config,
  stores: Stores,
  { people, matchLists, publish, push }: PeopleServices,
  closing: AsyncDisposableStack,
) {
  const { clock, db, bus, hub, log, metrics, cache } = stores;
  const ring = (call: { id: string; calleeId: string }) => push?.ring(call);
  const cards = people.cards.bind(people);
  const media = await MediaWorkers.start({
    count: config.media.workers ?? availableParallelism(),
    listenIp: config.media.listenAddress,
    announcedAddress: config.media.announcedAddress,
    basePort: config.media.port,
    onWorkerLost: ({ cause }) => metrics.workerLost(cause),
    log,
    clock,
    addressKey,
  });
  closing.defer(() => media.close());

  const callStore = new CallStore(db, config.call);
  const publicAddress = config.processAddress ?? (config.publicUrl && new URL(config.publicUrl).host);
  const actors = new Actors({
    calls: callStore,
    clock,
    log,
    ...(publicAddress !== undefined && { publicAddress }),
  });
  const isOpen = () => !actors.isDraining;
  const calls = new Calls({
    db,
    clock,
    settings: config.call,
    matchSettings: config.match,
    turn: config.turn,
    maxUnanswered: config.limits.unansweredCalls,
    publish,
    ring,
    isOpen,
  });
  const callCommands = new CallCommands({ calls, actors, log });
  const matches: Matches = new Matches({
    db,
    clock,
    settings: config.match,
    cards,
    publish,
    onChanged: (userIds) => matchLists.changed(userIds),
    onClosed: (matchId) => callCommands.sever(matchId),
  });
  const blocks = new Blocks({
    db,
    clock,
    pairSevered: (oneId, otherId) => matches.sever(oneId, otherId),
    forgetCandidates: (userIds) => cache.forget('candidates', [...userIds]),
  });
  const idempotency = new Idempotency(db, processId);
  const keeper = new Keeper({
    db,
    calls: callStore,
    bus,
    clock,
    log,
    tickMatch: (matchId) => matches.system(matchId, { type: 'tick' }),
    activateCall: (callId) => actors.activateCall(callId),
    isOpen,
    reconcileInboxes: () => hub.reconcile(),
    dropOld: async () => {
      await Promise.all([keepMonths(db), idempotency.dropOld()]);
    },
  });
  closing.defer(() => keeper.close());
  return {
    ring,
    cards,
    media,
    publicAddress,
    actors,
    callStore,
    calls,
    callCommands,
    matches,
    blocks,
    idempotency,
    keeper,
  };
}
