/** People as the contract shows them: `Me` to their owner, `Card` to others. */
import { z } from 'zod';
import { Id, Time } from '../shapes.ts';
import { MAX_AGE, MIN_AGE } from './age.ts';
import { humanText } from './text.ts';

export const GENDERS = ['woman', 'man', 'nonbinary'] as const;
export const Gender = z.enum(GENDERS).meta({ id: 'Gender' });
export type Gender = z.infer<typeof Gender>;

export const Photo = z
  .strictObject({
    id: Id,
    url: z.string().meta({ description: 'Signed and expiring.' }),
    thumbnailUrl: z.string().meta({ description: 'Signed and expiring.' }),
    width: z.int(),
    height: z.int(),
    position: z.int(),
    placeholder: z.string().meta({ description: 'A tiny blurred preview as a data URL, or empty.' }),
  })
  .meta({ id: 'Photo' });
export type Photo = z.infer<typeof Photo>;

const Preferences = z
  .strictObject({
    minAge: z.int(),
    maxAge: z.int(),
    genders: z.array(Gender),
    maxDistanceKm: z.int(),
    hideDistance: z
      .boolean()
      .meta({ description: 'Others are not told how far away you are, nor found by it.' }),
  })
  .meta({ id: 'Preferences' });

export const Me = z
  .strictObject({
    id: Id,
    email: z.string(),
    emailVerified: z.boolean(),
    role: z.enum(['user', 'admin']),
    tier: z.enum(['regular', 'premium']),
    status: z.enum(['active', 'suspended', 'banned', 'deleted']),
    displayName: z.string(),
    birthDate: z.string(),
    gender: Gender,
    bio: z.string(),
    interests: z.array(z.string()),
    photos: z.array(Photo),
    location: z.strictObject({ cell: z.string() }).nullable(),
    preferences: Preferences,
    discoverable: z.boolean(),
    createdAt: Time,
  })
  .meta({ id: 'Me' });
export type Me = z.infer<typeof Me>;

export const Card = z
  .strictObject({
    id: Id,
    displayName: z.string(),
    age: z.int(),
    gender: Gender,
    bio: z.string(),
    interests: z.array(z.string()),
    photos: z.array(Photo),
    distance: z.strictObject({ upToKm: z.int() }).nullable(),
  })
  .meta({ id: 'Card' });
export type Card = z.infer<typeof Card>;

const MAX_DISTANCE_KM = 20_000;
export const MAX_PHOTOS = 6;

export const DisplayName = humanText({ min: 1, max: 50 });

/** Body of PUT /users/me. What is left out stays as it is. */
export const ProfileEdit = z
  .strictObject({
    displayName: DisplayName,
    gender: Gender,
    bio: humanText({ min: 0, max: 500, lines: true }),
    interests: z
      .array(humanText({ min: 1, max: 30 }))
      .max(20)
      .refine((all) => new Set(all.map((one) => one.toLowerCase())).size === all.length, 'must not repeat'),
    location: z
      .strictObject({ lat: z.number().min(-90).max(90), lon: z.number().min(-180).max(180) })
      .nullable()
      .meta({
        description: 'Snapped to a grid cell before anything is computed or stored; null forgets it.',
      }),
  })
  .partial()
  .meta({ id: 'ProfileEdit' });
export type ProfileEdit = z.infer<typeof ProfileEdit>;

/** Body of PATCH /users/me/preferences. */
export const PreferencesEdit = z
  .strictObject({
    minAge: z.int().min(MIN_AGE).max(MAX_AGE),
    maxAge: z
      .int()
      .min(MIN_AGE)
      .max(MAX_AGE)
      .meta({ description: `${MAX_AGE} means that age and older.` }),
    genders: z
      .array(Gender)
      .min(1, 'must name one at least')
      .max(GENDERS.length)
      .refine((all) => new Set(all).size === all.length, 'must not repeat'),
    maxDistanceKm: z.int().min(1).max(MAX_DISTANCE_KM),
    hideDistance: z.boolean(),
    discoverable: z
      .boolean()
      .meta({ description: 'False pauses being discovered; matches and calls go on.' }),
  })
  .partial()
  .meta({ id: 'PreferencesEdit' });
export type PreferencesEdit = z.infer<typeof PreferencesEdit>;

/** Body of PUT /users/me/photos/order: every photo once, the main one first. */
export const PhotoOrder = z
  .strictObject({ photoIds: z.array(Id).max(MAX_PHOTOS) })
  .meta({ id: 'PhotoOrder' });
