import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'Report',
  tableName: 'reports',
  properties: {
    id: p.uuid().primary(),
    reporterId: p.uuid(),
    reportedId: p.uuid(),
    reason: p.string(),
    details: p.string().default(''),
    callId: p.uuid().nullable(),
    status: p.string().$type<'open' | 'reviewing' | 'resolved' | 'dismissed'>().default('open'),
    resolution: p.string().nullable(),
    createdAt: p.datetime(),
  },
});

export class Report extends schema.class {}
schema.setClass(Report);
