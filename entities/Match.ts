import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'Match',
  tableName: 'matches',
  properties: {
    id: p.uuid().primary(),
    lowId: p.uuid(),
    highId: p.uuid(),
    status: p.string().$type<'active' | 'rejected' | 'expired' | 'ended'>(),
    phase: p.string().$type<'awaiting_accept' | 'ready' | 'closed'>(),
    lowAccepted: p.boolean().default(false),
    highAccepted: p.boolean().default(false),
    /** Whether `match:timeout_warning` was sent. */
    warned: p.boolean().default(false),
    createdAt: p.datetime(),
    acceptBy: p.datetime(),
    endedAt: p.datetime().nullable(),
    endReason: p.string().nullable(),
    version: p.integer().default(1),
    /** Of the lease that every actor's row has from the start. No match is held: whoever locks the row acts. */
    owner: p.string().nullable(),
    epoch: p.bigint('number').default(0),
    leasedUntil: p.datetime().nullable(),
    /** The next deadline, for the sweeper. */
    dueAt: p.datetime().nullable(),
  },
});

/** Two people who like each other. `src/matching/transitions.ts` says how it changes. */
export class Match extends schema.class {}
schema.setClass(Match);
