import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'Block',
  tableName: 'blocks',
  properties: {
    blockerId: p.uuid().primary(),
    blockedId: p.uuid().primary(),
    createdAt: p.datetime(),
  },
});

/** One person's block of another. It works both ways; only its maker sees it and can undo it. */
export class Block extends schema.class {}
schema.setClass(Block);
