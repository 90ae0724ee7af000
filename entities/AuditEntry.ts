import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'AuditEntry',
  tableName: 'audit_log',
  properties: {
    id: p.uuid().primary(),
    at: p.datetime(),
    action: p.string(),
    /** Whose account it is about. No foreign key: the entry outlives the account. */
    userId: p.uuid().nullable(),
    /** Who did it, where it was somebody else. */
    actorId: p.uuid().nullable(),
    sessionId: p.uuid().nullable(),
    /** Keyed hash of the email address it is about. */
    subject: p.string().nullable(),
    /** "Firefox on Linux". */
    device: p.string().nullable(),
    /** The network it came from: /24 or /48. */
    address: p.string().nullable(),
    details: p.json().$type<Record<string, unknown>>(),
    /** Its place in the chains of hashes; the database writes them. */
    chain: p.smallint().nullable(),
    seq: p.bigint('number').nullable(),
    prevHash: p.blob().nullable(),
    hash: p.blob().nullable(),
  },
});

/** A line of the security log. */
export class AuditEntry extends schema.class {}
schema.setClass(AuditEntry);
