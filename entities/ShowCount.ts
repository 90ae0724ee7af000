import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'ShowCount',
  tableName: 'show_counts',
  properties: {
    userId: p.uuid().primary(),
    day: p.string().columnType('date'),
    shows: p.integer(),
  },
});

/** How many were shown a person on a day: who was shown to enough rests until the next. */
export class ShowCount extends schema.class {}
schema.setClass(ShowCount);
