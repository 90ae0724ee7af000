import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'Session',
  tableName: 'sessions',
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid(),
    /** SHA-256 of the refresh token that is good. */
    tokenHash: p.blob().hidden(),
    /** Of its parent, which gives the same child for 10 s after `rotatedAt`. */
    previousHash: p.blob().hidden().nullable(),
    rotatedAt: p.datetime().nullable(),
    rotations: p.integer().default(0),
    deviceId: p.uuid(),
    /** Ed25519, public: what the device signs its keys for end-to-end encryption with. */
    deviceKey: p.blob().nullable(),
    /** "Firefox on Linux". */
    deviceName: p.string(),
    /** The network that it was last used from: /24 or /48. */
    address: p.string(),
    createdAt: p.datetime(),
    lastUsedAt: p.datetime(),
    expiresAt: p.datetime(),
    revokedAt: p.datetime().nullable(),
    revokedFor: p.string().nullable(),
  },
});

/** A sign-in: a family of refresh tokens, of which the newest is good. */
export class Session extends schema.class {}
schema.setClass(Session);
