import { z } from 'zod';
import { newId } from '../../ids.ts';
import type { Discovery } from '../../people/Discovery.ts';
import type { People } from '../../people/People.ts';
import type { Photos } from '../../people/Photos.ts';
import { looksLikePhoto, MAX_PHOTO_BYTES, PHOTO_TYPES } from '../../people/photoImage.ts';
import { Card, Me, Photo, PhotoOrder, PreferencesEdit, ProfileEdit } from '../../people/shapes.ts';
import { Id, listOf, Page } from '../../shapes.ts';
import { type Route, rawBody, route } from '../route.ts';

export interface UserRoutesDeps {
  people: People;
  photos: Photos;
  discovery: Discovery;
}

const tags = ['users'];
const UserParams = z.strictObject({ userId: Id });

/** Profiles, photos, discovery. */
export function userRoutes({ people, photos, discovery }: UserRoutesDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/users/me',
      summary: 'Your account and profile',
      tags,
      who: 'user',
      limit: 'browse',
      status: 200,
      out: Me,
      run: ({ auth }) => people.me(auth.userId),
    }),
    route({
      method: 'put',
      path: '/users/me',
      summary: 'Change your profile',
      description:
        'Fields that are left out stay as they are. The birth date cannot be changed. A new place beyond the moves of a day is a 429, and nothing is changed then; the place can always be forgotten.',
      tags,
      who: 'user',
      limit: 'write',
      body: ProfileEdit,
      status: 200,
      out: Me,
      run: ({ auth, body }) => people.editProfile(auth.userId, body),
    }),
    route({
      method: 'patch',
      path: '/users/me/preferences',
      summary: 'Change whom you want to meet, and whether you are shown',
      tags,
      who: 'user',
      limit: 'write',
      body: PreferencesEdit,
      status: 200,
      out: Me,
      run: ({ auth, body }) => people.editPreferences(auth.userId, body),
    }),
    route({
      method: 'post',
      path: '/users/me/photos',
      summary: 'Add a photo',
      description:
        'The image itself is the body: JPEG, PNG or WebP, 10 MB at most. At most 6 photos: 409 beyond.',
      tags,
      who: 'user',
      limit: 'upload',
      body: rawBody({ types: PHOTO_TYPES, maxBytes: MAX_PHOTO_BYTES, looksRight: looksLikePhoto }),
      status: 201,
      out: Photo,
      run: async ({ auth, body, once }) => {
        const photoId = await once(async (remember) => {
          const photo = await photos.upload(auth.userId, body, await remember(newId));
          return photo.id;
        });
        return photos.own(auth.userId, photoId);
      },
    }),
    route({
      method: 'put',
      path: '/users/me/photos/order',
      summary: 'Put your photos in order, the main one first',
      tags,
      who: 'user',
      limit: 'write',
      body: PhotoOrder,
      status: 200,
      out: Me,
      run: async ({ auth, body }) => {
        await photos.reorder(auth.userId, body.photoIds);
        return people.me(auth.userId);
      },
    }),
    route({
      method: 'delete',
      path: '/users/me/photos/:photoId',
      summary: 'Remove a photo',
      tags,
      who: 'user',
      limit: 'write',
      params: z.strictObject({ photoId: Id }),
      status: 204,
      run: ({ auth, params }) => photos.remove(auth.userId, params.photoId),
    }),
    route({
      method: 'get',
      path: '/users/discovery',
      summary: 'People you may like',
      description:
        'Best first. A cursor is good for a day; asking for a page again gives the same page, less those who were decided on or may not be shown any longer. 429 when somebody has been shown as many different people as a day allows, or the same ones over and over again.',
      tags,
      who: 'user',
      limit: 'browse',
      query: Page,
      status: 200,
      out: listOf(Card),
      run: ({ auth, query }) => discovery.list(auth.userId, query),
    }),
    route({
      method: 'get',
      path: '/users/:userId',
      summary: 'The card of a match, or of somebody discovery has shown you',
      tags,
      who: 'user',
      limit: 'browse',
      params: UserParams,
      status: 200,
      out: Card,
      run: ({ auth, params }) => people.metCard(auth.userId, params.userId),
    }),
  ];
}
