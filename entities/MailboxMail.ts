import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'MailboxMail',
  tableName: 'dev_mailbox',
  properties: {
    id: p.uuid().primary(),
    /** Keyed hash of the address. */
    recipient: p.blob(),
    sealed: p.blob().hidden(),
    at: p.datetime(),
  },
});

/** A mail of development, which goes nowhere (`/dev/mailbox`). */
export class MailboxMail extends schema.class {}
schema.setClass(MailboxMail);
