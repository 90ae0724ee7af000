import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'Inbox',
  tableName: 'inboxes',
  properties: {
    userId: p.uuid().primary(),
    epoch: p.bigint('number').default(1),
    /** Of the last event. */
    seq: p.bigint('number').default(0),
    /** The last one that any device has acknowledged. */
    acked: p.bigint('number').default(0),
  },
});

/** Where a user's log of events stands; its row puts those who tell the user something in order. */
export class Inbox extends schema.class {}
schema.setClass(Inbox);
