import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'EmailToken',
  tableName: 'email_tokens',
  properties: {
    /** SHA-256 of kind and token. */
    hash: p.blob().primary(),
    kind: p.string().$type<'verify' | 'reset'>(),
    userId: p.uuid(),
    registrationId: p.uuid().nullable(),
    createdAt: p.datetime(),
    expiresAt: p.datetime(),
  },
});

/** A one-time token in the link of a mail. */
export class EmailToken extends schema.class {}
schema.setClass(EmailToken);
