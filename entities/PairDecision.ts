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
    /** Whether the low person blocked the high one, and the other way round. */
    lowBlocked: p.boolean().default(false),
    highBlocked: p.boolean().default(false),
    /** Whether the two likes became a match. */
    matched: p.boolean().default(false),
  },
});

/** What two people decided about each other, in one row (low id, high id): the mutual like is decided here. */
export class PairDecision extends schema.class {}
schema.setClass(PairDecision);
