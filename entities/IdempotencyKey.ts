import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'IdempotencyKey',
  tableName: 'idempotency_keys',
  properties: {
    userId: p.uuid().primary(),
    key: p.string().primary(),
    /** Of the request: the same key with another one is a CONFLICT. */
    fingerprint: p.blob(),
    /** Null while it is not known to be done. */
    status: p.smallint().nullable(),
    /** Ids of what was done; before that what was settled, if anything was. */
    body: p.json().nullable(),
    /** The process that works on it. */
    holder: p.string().nullable(),
    createdAt: p.datetime(),
  },
});

/** What was done under an `Idempotency-Key`, for a day (`src/http/Idempotency.ts`). */
export class IdempotencyKey extends schema.class {}
schema.setClass(IdempotencyKey);
