import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'Call',
  tableName: 'calls',
  properties: {
    id: p.uuid().primary(),
    matchId: p.uuid(),
    callerId: p.uuid(),
    calleeId: p.uuid(),
    phase: p.string().$type<'ringing' | 'connecting' | 'active' | 'ended'>(),
    /** The whole `CallState` of `src/calling/state.ts`; the columns beside it are what queries ask for. */
    state: p.json(),
    outcome: p.string().nullable(),
    createdAt: p.datetime(),
    endedAt: p.datetime().nullable(),
    version: p.integer().default(1),
    /** The lease: the process that holds the actor, its fencing epoch, until when. */
    owner: p.string().nullable(),
    epoch: p.bigint('number').default(0),
    leasedUntil: p.datetime().nullable(),
    /** The next deadline, for the sweeper. */
    dueAt: p.datetime().nullable(),
  },
});

/** A call between the two people of a match. `src/calling/transitions.ts` says how it changes. */
export class Call extends schema.class {}
schema.setClass(Call);
