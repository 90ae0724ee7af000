import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'BanTag',
  tableName: 'ban_tags',
  properties: {
    /** Keyed hash of an address (as a mailbox: without dots and +tags) or of a device. */
    tag: p.blob().primary(),
    /** Whose ban it is. No foreign key: it outlives the account. */
    userId: p.uuid().primary(),
    kind: p.string().$type<'email' | 'device'>(),
    createdAt: p.datetime(),
  },
});

/** What a banned person could come back with. */
export class BanTag extends schema.class {}
schema.setClass(BanTag);
