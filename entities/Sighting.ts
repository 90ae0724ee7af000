import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'Sighting',
  tableName: 'sightings',
  properties: {
    /** Partitions are dropped by it. */
    month: p.string().columnType('date').primary(),
    viewerId: p.uuid().primary(),
    /** When the browsing began that this belongs to. */
    since: p.datetime().primary(),
    seenId: p.uuid().primary(),
    /** Of the browsing, the first is 0. */
    page: p.integer(),
    /** In the order of the page. */
    nth: p.smallint(),
    /** When the page was dealt. */
    at: p.datetime(),
  },
});

/** Whom discovery has shown to whom: a card may be looked at again, a page never repeats. */
export class Sighting extends schema.class {}
schema.setClass(Sighting);
