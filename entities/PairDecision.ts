import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'PairDecision',
  tableName: 'pair_decisions',
  properties: {
    lowId: p.uuid().primary(),
    highId: p.uuid().primary(),
    lowDecision: p.string().$type<'like' | 'dislike'>().nullable(),
    lowAt: p.datetime().nullable(),
    highDecision: p.string().$type<'like' | 'dislike'>().nullable(),
    highAt: p.datetime().nullable(),
  },
});

/** What two people decided about each other, in one row (low id, high id): the mutual like is decided here. */
export class PairDecision extends schema.class {}
schema.setClass(PairDecision);
