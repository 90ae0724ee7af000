import { defineEntity, p } from '@mikro-orm/core';

const schema = defineEntity({
  name: 'User',
  tableName: 'users',
  properties: {
    id: p.uuid().primary(),
    /** As its owner spelled it, sealed (`src/accounts/Addresses.ts`); shown to the owner and to admins only. */
    email: p.string(),
    /** Keyed hash of its case-folded and NFKC-normalised form: what it is found by. Unique. */
    emailKey: p.string().unique(),
    emailVerifiedAt: p.datetime().nullable(),
    passwordHash: p.string().hidden(),
    role: p.string().$type<'user' | 'admin'>().default('user'),
    tier: p.string().$type<'regular' | 'premium'>().default('regular'),
    status: p.string().$type<'active' | 'suspended' | 'banned' | 'deleted'>().default('active'),
    /** Why an admin changed the status; shown to admins only. */
    statusReason: p.string().nullable(),
    /** When a suspension ends by itself. */
    statusUntil: p.datetime().nullable(),
    /** When an account whose owner deleted it is erased; signing in before then takes the deletion back. */
    eraseAt: p.datetime().nullable(),
    /** When the matches and calls of somebody who is not active any more are ended (again). */
    settleAt: p.datetime().nullable(),
    displayName: p.string(),
    birthDate: p.string().columnType('date'),
    gender: p.string().$type<'woman' | 'man' | 'nonbinary'>(),
    bio: p.string().default(''),
    interests: p.array().columnType('text[]').default([]),
    /** H3 cell of about 1 km (resolution 7) or, where few people live, of a coarser one. The exact place is never stored. */
    cell: p.string().nullable(),
    /** The H3 cell of resolution 6 around the cell's centre, as a number; 0 for a place unknown or hidden. */
    area: p.bigint('string').default('0'),
    /** That of resolution 5, some 20 km wide: what discovery's index has. The database makes it. */
    wideArea: p.bigint('string'),
    /** The cell's centre on a sphere of 6,371 km; null for a place unknown or hidden. */
    x: p.float().nullable(),
    y: p.float().nullable(),
    z: p.float().nullable(),
    /** How far the true place may be from the centre beyond what the finest cell allows. */
    slackKm: p.float().default(0),
    hideDistance: p.boolean().default(false),
    minAge: p.smallint().default(18),
    maxAge: p.smallint().default(99),
    genders: p.array().columnType('text[]'),
    /** Who somebody is and whom they want to meet, in one number (`src/people/audience.ts`). The database makes it. */
    audience: p.smallint(),
    maxDistanceKm: p.smallint().default(50),
    discoverable: p.boolean().default(true),
    photoCount: p.smallint().default(0),
    /** What discovery's index is ordered by, best first; `src/people/score.ts` says how it is made. */
    score: p.integer().default(0),
    /** The day on which enough people had been shown this one; discovery rests them until the next. */
    restedOn: p.string().columnType('date').default('2000-01-01'),
    lastActiveAt: p.datetime(),
    createdAt: p.datetime(),
    version: p.integer().version(),
  },
});

/** A person: the account and the profile. */
export class User extends schema.class {}
schema.setClass(User);
