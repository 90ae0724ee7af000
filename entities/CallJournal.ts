import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'CallJournal',
  tableName: 'call_journal',
  properties: {
    callId: p.uuid().primary(),
    /** The call's version after the command. */
    version: p.integer().primary(),
    at: p.datetime(),
    epoch: p.bigint('number'),
    command: p.string(),
    /** Of a command that may come again because its answer was lost; null for all others. */
    commandId: p.uuid().nullable(),
    /** Who gave it; null for the clock, the media and the server itself. */
    byId: p.uuid().nullable(),
    phase: p.string(),
    state: p.json(),
  },
});

/** One line for each transition of a call, written in the transaction of the transition. */
export class CallJournal extends schema.class {}
schema.setClass(CallJournal);
