/** The statements of photos. */
import { sql } from '../db/sql.ts';
import type { StoredPhoto } from './Photos.ts';
import { SCORE_SQL } from './score.ts';

/** How different two hashes may be for the pictures to count as the same one. */
const ALIKE_BITS = 8;

/** Whatever became of them: who may do what with photos is for the caller to say. */
export const lockPerson = sql<{ status: 'active' | 'suspended' | 'banned' | 'deleted' }>(
  'photo-lock-person',
  `select status from users where id = $1 for no key update`,
);
export const findBanned = sql<{ found: boolean }>(
  'photo-find-banned',
  `select exists (select from banned_photos where bit_count(phash # $1::bit(64)) <= ${ALIKE_BITS}) as found`,
);
export const takenPositions = sql<{ position: number }>(
  'photo-positions',
  `select position from photos where user_id = $1`,
);
export const reservePhoto = sql(
  'photo-reserve',
  `insert into photos (id, user_id, key, width, height, position, ready, created_at) values ($1, $2, $3, 0, 0, $4, false, $5)`,
);
export const makeReady = sql<{ id: string }>(
  'photo-ready',
  `update photos set ready = true, width = $2, height = $3, placeholder = $4, phash = $5::bit(64)
   where id = $1 and key = $6 and not ready returning id`,
);
export const deletePhoto = sql<{ key: string }>(
  'photo-delete',
  `delete from photos where id = $1 and user_id = $2 and ready returning key`,
);
export const dropReservation = sql(
  'photo-drop',
  `delete from photos where id = $1 and key = $2 and not ready`,
);
export const findReady = sql<StoredPhoto>(
  'photo-find-ready',
  `select id, key, width, height, position, placeholder from photos where id = $1 and user_id = $2 and ready`,
);
export const findReadyKey = sql<{ id: string }>(
  'photo-find-ready-key',
  `select id from photos where key = $1 and ready`,
);
/** Reservations that an earlier try under the same id has left, or any from before $3. */
export const dropLeftBehind = sql(
  'photo-drop-left-behind',
  `delete from photos where user_id = $2 and not ready and (id = $1 or created_at < $3)`,
);
export const readyPhotos = sql<{ id: string }>(
  'photo-list',
  `select id from photos where user_id = $1 and ready order by position`,
);
export const setPositions = sql(
  'photo-order',
  `update photos p set position = o.position - 1
   from unnest($2::uuid[]) with ordinality as o (id, position) where p.id = o.id and p.user_id = $1`,
);
export const positionOf = sql<{ position: number }>(
  'photo-position',
  `select position from photos where id = $1`,
);
/** Closes the gaps that deleted photos and failed uploads leave; reservations come last. */
export const closeGaps = sql(
  'photo-close-gaps',
  `update photos p set position = o.nth - 1
   from (select id, row_number() over (order by ready desc, position) as nth from photos where user_id = $1) o
   where p.id = o.id and p.position <> o.nth - 1`,
);
export const countPhotos = sql(
  'photo-count',
  `update users u set photo_count = c.n, version = u.version + 1,
     score = ${SCORE_SQL.replaceAll('u.photo_count', 'c.n')}
   from (select count(*)::smallint as n from photos where user_id = $1 and ready) c where u.id = $1`,
);
/** The owner of a photo, unless the viewer may not see it (a block either way, no active account on either side). */
export const findVisible = sql<{ user_id: string }>(
  'photo-visible',
  `select p.user_id from photos p join users u on u.id = p.user_id join users v on v.id = $2
   where p.key = $1 and p.ready and u.status = 'active' and v.status = 'active'
     and not exists (select from blocks b where b.blocker_id = p.user_id and b.blocked_id = $2)
     and not exists (select from blocks b where b.blocker_id = $2 and b.blocked_id = p.user_id)`,
);
/** One change of the list at a time: somebody's ban must see that another's of the same picture was just lifted. */
export const lockBanned = sql('photo-lock-banned', `select pg_advisory_xact_lock(hashtext('banned_photos'))`);
export const banPhotosOf = sql(
  'photo-ban-of',
  `insert into banned_photos (phash) select distinct phash from photos where user_id = $1 and phash is not null
   on conflict do nothing`,
);
/** Not those that somebody who is banned has too. */
export const allowPhotosOf = sql(
  'photo-allow-of',
  `delete from banned_photos b where phash in (select phash from photos where user_id = $1)
     and not exists (
       select from photos p join users u on u.id = p.user_id where p.phash = b.phash and u.status = 'banned')`,
);
export const keysOf = sql<{ key: string }>('photo-keys-of', `select key from photos where user_id = $1`);
