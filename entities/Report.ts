import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'Report',
  tableName: 'reports',
  properties: {
    id: p.uuid().primary(),
    /** No foreign keys: a report outlives both accounts, and its ids then lead to nobody. */
    reporterId: p.uuid(),
    reportedId: p.uuid(),
    reason: p.string(),
    /** Sealed. */
    details: p.string().default(''),
    callId: p.uuid().nullable(),
    status: p.string().$type<'open' | 'reviewing' | 'resolved' | 'dismissed'>().default('open'),
    resolution: p.string().nullable(),
    /** The admin who changed the status last, and when. */
    handledBy: p.uuid().nullable(),
    handledAt: p.datetime().nullable(),
    /** Of the call that it is about, once that is gone with one of the two accounts. */
    callFacts: p.json().$type<Record<string, unknown>>().nullable(),
    createdAt: p.datetime(),
  },
});

export class Report extends schema.class {}
schema.setClass(Report);
