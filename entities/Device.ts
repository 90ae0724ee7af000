import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'Device',
  tableName: 'devices',
  properties: {
    userId: p.uuid().primary(),
    /** Keyed hash of device id and browser. */
    fingerprint: p.blob().primary(),
    seenAt: p.datetime(),
  },
});

/** A device that an account was used from in the last 90 days. */
export class Device extends schema.class {}
schema.setClass(Device);
