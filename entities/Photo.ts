import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'Photo',
  tableName: 'photos',
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid(),
    /** The random name under which the object store keeps the sizes: `<key>/full.webp`, `card.webp`, `thumb.webp`. */
    key: p.string().unique(),
    width: p.integer(),
    height: p.integer(),
    /** 0 is the main photo. */
    position: p.smallint(),
    /** A tiny blurred preview as a data URL. */
    placeholder: p.string().default(''),
    /** False while its files are being stored. It holds its place among the six, and nobody sees it. */
    ready: p.boolean().default(true),
    /** What it looks like in 64 bits, to know a banned one again. */
    phash: p.string().columnType('bit(64)').nullable(),
    createdAt: p.datetime(),
  },
});

export class Photo extends schema.class {}
schema.setClass(Photo);
