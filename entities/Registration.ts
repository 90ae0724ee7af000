import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'Registration',
  tableName: 'registrations',
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid(),
    /** Whether it made the user, whose password and profile are this one's until somebody verifies another. */
    first: p.boolean(),
    /** Sealed. */
    email: p.string(),
    passwordHash: p.string().hidden(),
    displayName: p.string(),
    birthDate: p.string().columnType('date'),
    gender: p.string().$type<'woman' | 'man' | 'nonbinary'>(),
    /** The versions of documents that it agreed to, by document. */
    documents: p.json().$type<Record<string, string>>(),
    createdAt: p.datetime(),
  },
});

/** A registration of an address that nobody has verified. */
export class Registration extends schema.class {}
schema.setClass(Registration);
