import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'LiveCall',
  tableName: 'live_calls',
  properties: {
    userId: p.uuid().primary(),
    callId: p.uuid(),
  },
});

/** Who is in a call that has not ended: in one at most. */
export class LiveCall extends schema.class {}
schema.setClass(LiveCall);
