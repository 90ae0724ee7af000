import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'DataKey',
  tableName: 'data_keys',
  properties: {
    name: p.string().$type<'seals' | 'tags' | 'next'>().primary(),
    /** Sealed under `DATA_KEY`. */
    wrapped: p.blob().hidden(),
    wrappedAt: p.datetime(),
  },
});

/** A secret that texts at rest are sealed or tagged with. */
export class DataKey extends schema.class {}
schema.setClass(DataKey);
