import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'Place',
  tableName: 'places',
  properties: {
    userId: p.uuid().primary(),
    /** Keyed hashes of the cells, from the finest to the coarsest. */
    tags: p.array().columnType('bytea[]').default([]),
    /** Whether the person is in the counts: not who hides the distance or is not active. */
    counted: p.boolean().default(true),
    movedOn: p.string().columnType('date').default('2000-01-01'),
    /** On that day. */
    moves: p.smallint().default(0),
  },
});

/** The cells in whose counts a person is, and how often they moved today. */
export class Place extends schema.class {}
schema.setClass(Place);
