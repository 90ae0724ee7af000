import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'LikeCount',
  tableName: 'like_counts',
  properties: {
    userId: p.uuid().primary(),
    day: p.string().columnType('date'),
    used: p.integer(),
  },
});

/** The likes of a person on a day, against the day's allowance. */
export class LikeCount extends schema.class {}
schema.setClass(LikeCount);
