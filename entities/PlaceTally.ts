import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'PlaceTally',
  tableName: 'place_tallies',
  properties: {
    tag: p.blob().primary(),
    people: p.integer(),
  },
});

/** How many people share a cell, under a keyed hash of the cell: the table says nothing without the key. */
export class PlaceTally extends schema.class {}
schema.setClass(PlaceTally);
