/** People as the contract shows them: `Me` to their owner, `Card` to others. */
import { z } from 'zod';
import { Id, Time } from '../shapes.ts';

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

export const Preferences = z
  .strictObject({ minAge: z.int(), maxAge: z.int(), genders: z.array(Gender), maxDistanceKm: z.int() })
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
