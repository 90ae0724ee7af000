import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'PushSubscription',
  tableName: 'push_subscriptions',
  properties: {
    /** The push service's address of the device. */
    endpoint: p.string().primary(),
    userId: p.uuid(),
    /** The sign-in that made it, and with which it ends. */
    sessionId: p.uuid().nullable(),
    /** The device's public key and authentication secret (RFC 8291 section 2), base64url. */
    p256dh: p.string(),
    auth: p.string(),
    createdAt: p.datetime(),
  },
});

/** A device that is told of calls while no socket of its person is open. */
export class PushSubscription extends schema.class {}
schema.setClass(PushSubscription);
