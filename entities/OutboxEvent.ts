import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'OutboxEvent',
  tableName: 'outbox',
  properties: {
    userId: p.uuid().primary(),
    /** 1, 2, 3 … within the user's epoch, without gaps. */
    seq: p.bigint('number').primary(),
    epoch: p.bigint('number'),
    type: p.string(),
    payload: p.json(),
    at: p.datetime(),
  },
});

/** An event told to one user, written in the transaction of the fact that it tells. */
export class OutboxEvent extends schema.class {}
schema.setClass(OutboxEvent);
