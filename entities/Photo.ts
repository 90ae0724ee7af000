import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'Photo',
  tableName: 'photos',
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid(),
    /** The random name under which the object store keeps the sizes: `<key>/card.webp`, `<key>/thumb.webp`. */
    key: p.string().unique(),
    width: p.integer(),
    height: p.integer(),
    /** 0 is the main photo. */
    position: p.smallint(),
    /** A tiny blurred preview as a data URL. */
    placeholder: p.string().default(''),
    createdAt: p.datetime(),
  },
});

export class Photo extends schema.class {}
schema.setClass(Photo);
