import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'Consent',
  tableName: 'consents',
  properties: {
    userId: p.uuid().primary(),
    document: p.string().$type<'terms' | 'privacy'>().primary(),
    at: p.datetime().primary(),
    version: p.string(),
  },
});

/** That a person agreed to a version of a document. Added, never changed; goes with the person. */
export class Consent extends schema.class {}
schema.setClass(Consent);
