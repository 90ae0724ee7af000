import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'PushSubscription',
  tableName: 'push_subscriptions',
  properties: {
    /** Keyed hash of the push service's address of the device: what it is found by. */
    endpoint: p.string().primary(),
    /** The address itself, sealed. Null in rows from before, in which `endpoint` is it. */
    address: p.string().nullable(),
    userId: p.uuid(),
    /** The sign-in that made it, and with which it ends. */
    sessionId: p.uuid().nullable(),
    /** The device's public key and authentication secret (RFC 8291 section 2), base64url; sealed. */
    p256dh: p.string(),
    auth: p.string(),
    createdAt: p.datetime(),
  },
});

/** A device that is told of calls while no socket of its person is open. */
export class PushSubscription extends schema.class {}
schema.setClass(PushSubscription);
