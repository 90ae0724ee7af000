import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'AuditChain',
  tableName: 'audit_chains',
  properties: {
    chain: p.smallint().primary(),
    /** Of its last line. */
    seq: p.bigint('number').default(0),
    /** Of its last line. */
    hash: p.blob(),
  },
});

/** One of the chains that the lines of the security log hang in, and where it stands (`src/accounts/auditChain.ts`). */
export class AuditChain extends schema.class {}
schema.setClass(AuditChain);
