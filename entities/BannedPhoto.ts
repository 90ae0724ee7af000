import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'BannedPhoto',
  tableName: 'banned_photos',
  properties: {
    phash: p.string().columnType('bit(64)').primary(),
    createdAt: p.datetime(),
  },
});

/** A picture that nobody may show any more, by its perceptual hash (`src/people/perceptualHash.ts`). */
export class BannedPhoto extends schema.class {}
schema.setClass(BannedPhoto);
