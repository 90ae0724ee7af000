import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'User',
  tableName: 'users',
  properties: {
    id: p.uuid().primary(),
    /** As its owner spelled it; shown to the owner only. */
    email: p.string(),
    /** Case-folded and NFKC-normalised: what addresses are compared by. Unique. */
    emailKey: p.string().unique(),
    emailVerifiedAt: p.datetime().nullable(),
    passwordHash: p.string().hidden(),
    role: p.string().$type<'user' | 'admin'>().default('user'),
    tier: p.string().$type<'regular' | 'premium'>().default('regular'),
    status: p.string().$type<'active' | 'suspended' | 'banned' | 'deleted'>().default('active'),
    displayName: p.string(),
    birthDate: p.string().columnType('date'),
    gender: p.string().$type<'woman' | 'man' | 'nonbinary'>(),
    bio: p.string().default(''),
    interests: p.array().columnType('text[]').default([]),
    /** H3 cell of about 1 km (resolution 7); the exact place is never stored. */
    cell: p.string().nullable(),
    /** The cell's parent of about 20 km (resolution 5): what discovery's index is ordered by. */
    area: p.string().nullable(),
    minAge: p.smallint().default(18),
    maxAge: p.smallint().default(99),
    genders: p.array().columnType('text[]'),
    maxDistanceKm: p.smallint().default(50),
    discoverable: p.boolean().default(true),
    score: p.integer().default(0),
    lastActiveAt: p.datetime(),
    createdAt: p.datetime(),
    version: p.integer().version(),
  },
});

/** A person: the account and the profile. */
export class User extends schema.class {}
schema.setClass(User);
