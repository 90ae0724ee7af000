/**
 * A person's photos: at most six, in order, the first is the main one. A photo first takes its place (a row that
 * nobody sees), then its files are stored, then it is ready; whatever fails on the way leaves nothing behind, and
 * what a crash leaves behind is swept.
 */
import type { Clock } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { sql } from '../db/sql.ts';
import { DuetError } from '../errors.ts';
import { newId, newSecret } from '../ids.ts';
import { LruMap } from '../platform/LruMap.ts';
import type { ObjectStore } from '../platform/ObjectStore.ts';
import { Semaphore } from '../platform/Semaphore.ts';
import type { PhotoLinks } from './PhotoLinks.ts';
import { PHOTO_FILES, type PhotoFile, type PhotoImage, readPhoto } from './photoImage.ts';
import { SCORE_SQL } from './score.ts';
import { MAX_PHOTOS, type Photo } from './shapes.ts';

export interface PhotosOptions {
  db: Database;
  store: ObjectStore;
  links: PhotoLinks;
  clock: Clock;
  /** Told after a person's photos changed. */
  onChange: (userId: string) => Promise<void>;
  /** How many images are decoded at once; each may take 150 MB for a moment. Default 2. */
  decodersAtOnce?: number;
}

/** An image that can be had when it is needed. */
export interface PhotoSource {
  bytes(): Promise<Buffer>;
}

/** A photo as rows and caches hold it: without addresses, which are made for each viewer. */
export interface StoredPhoto {
  id: string;
  key: string;
  width: number;
  height: number;
  position: number;
  placeholder: string;
}

/** Where the files of a photo are in the store. */
export const PHOTO_PREFIX = 'photos/';
/** How different two hashes may be for the pictures to count as the same one. */
const ALIKE_BITS = 8;
/** They wait in files, not in memory. */
const UPLOADS_WAITING = 256;
const FILES_IN_MEMORY = 400;

const lockPerson = sql<{ id: string }>(
  'photo-lock-person',
  `select id from users where id = $1 and status = 'active' for no key update`,
);
const findBanned = sql<{ found: boolean }>(
  'photo-find-banned',
  `select exists (select from banned_photos where bit_count(phash # $1::bit(64)) <= ${ALIKE_BITS}) as found`,
);
const takenPositions = sql<{ position: number }>(
  'photo-positions',
  `select position from photos where user_id = $1`,
);
const reservePhoto = sql(
  'photo-reserve',
  `insert into photos (id, user_id, key, width, height, position, ready, created_at) values ($1, $2, $3, 0, 0, $4, false, $5)`,
);
const makeReady = sql<{ id: string }>(
  'photo-ready',
  `update photos set ready = true, width = $2, height = $3, placeholder = $4, phash = $5::bit(64)
   where id = $1 and not ready returning id`,
);
const deletePhoto = sql<{ key: string }>(
  'photo-delete',
  `delete from photos where id = $1 and user_id = $2 and ready returning key`,
);
const dropReservation = sql('photo-drop', `delete from photos where id = $1 and not ready`);
const readyPhotos = sql<{ id: string }>(
  'photo-list',
  `select id from photos where user_id = $1 and ready order by position`,
);
const setPositions = sql(
  'photo-order',
  `update photos p set position = o.position - 1
   from unnest($2::uuid[]) with ordinality as o (id, position) where p.id = o.id and p.user_id = $1`,
);
const positionOf = sql<{ position: number }>('photo-position', `select position from photos where id = $1`);
/** Closes the gaps that deleted photos and failed uploads leave; reservations come last. */
const closeGaps = sql(
  'photo-close-gaps',
  `update photos p set position = o.nth - 1
   from (select id, row_number() over (order by ready desc, position) as nth from photos where user_id = $1) o
   where p.id = o.id and p.position <> o.nth - 1`,
);
const countPhotos = sql(
  'photo-count',
  `update users u set photo_count = c.n, version = u.version + 1,
     score = ${SCORE_SQL.replaceAll('u.photo_count', 'c.n')}
   from (select count(*)::smallint as n from photos where user_id = $1 and ready) c where u.id = $1`,
);
/** The owner of a photo, unless the viewer may not see it (a block either way, no active account). */
const findVisible = sql<{ user_id: string }>(
  'photo-visible',
  `select p.user_id from photos p join users u on u.id = p.user_id
   where p.key = $1 and p.ready and (u.status = 'active' or u.id = $2 and u.status <> 'deleted')
     and not exists (select from blocks b where b.blocker_id = p.user_id and b.blocked_id = $2)
     and not exists (select from blocks b where b.blocker_id = $2 and b.blocked_id = p.user_id)`,
);
const banPhotosOf = sql(
  'photo-ban-of',
  `insert into banned_photos (phash) select distinct phash from photos where user_id = $1 and phash is not null
   on conflict do nothing`,
);

const allowPhotosOf = sql(
  'photo-allow-of',
  `delete from banned_photos where phash in (select phash from photos where user_id = $1)`,
);
const keysOf = sql<{ key: string }>('photo-keys-of', `select key from photos where user_id = $1`);

export class Photos {
  readonly #options: PhotosOptions;
  readonly #decoders: Semaphore;
  /** Files asked for lately. Keys are random and files never change, so there is nothing to invalidate. */
  readonly #files = new LruMap<string, Buffer>(FILES_IN_MEMORY);

  constructor(options: PhotosOptions) {
    this.#options = options;
    this.#decoders = new Semaphore(options.decodersAtOnce ?? 2, UPLOADS_WAITING);
  }

  /**
   * Adds an image as the last photo. 400 unreadable or too large in pixels, 403 a banned picture, 409 six are
   * there, 415 no JPEG, PNG or WebP, 503 the store or too many uploads at once.
   */
  upload(userId: string, image: Buffer | PhotoSource): Promise<Photo> {
    // Read when its turn comes: those that wait cost no memory.
    const read = async () => readPhoto(Buffer.isBuffer(image) ? image : await image.bytes());
    return this.#add(userId, () => this.#decoders.run(read));
  }

  /** Adds an image that was read already. */
  add(userId: string, image: PhotoImage): Promise<Photo> {
    return this.#add(userId, () => Promise.resolve(image));
  }

  /** Removes a photo; its files are gone when this resolves, or soon after if the store is away. */
  async remove(userId: string, photoId: string): Promise<void> {
    const key = await this.#options.db.transaction(async (tx) => {
      await tx.query(lockPerson, [userId]);
      const [gone] = await tx.query(deletePhoto, [photoId, userId]);
      if (gone === undefined) throw new DuetError('NOT_FOUND');
      await tx.query(closeGaps, [userId]);
      await tx.query(countPhotos, [userId]);
      return gone.key;
    });
    await this.#options.onChange(userId);
    await this.#options.store.remove(filesOf(key)).catch(() => {
      // The row is gone, so nobody can see the files any more; the sweeper removes them.
    });
  }

  /** Puts the photos in an order; each must be named exactly once. */
  async reorder(userId: string, photoIds: readonly string[]): Promise<void> {
    await this.#options.db.transaction(async (tx) => {
      await tx.query(lockPerson, [userId]);
      const rows = await tx.query(readyPhotos, [userId]);
      const known = new Set(rows.map((row) => row.id));
      const named = new Set(photoIds);
      if (
        named.size !== photoIds.length ||
        named.size !== known.size ||
        photoIds.some((id) => !known.has(id))
      ) {
        const message = 'must name each of your photos once';
        throw new DuetError('VALIDATION_FAILED', { details: [{ path: 'photoIds', message }] });
      }
      await tx.query(setPositions, [userId, photoIds]);
      await tx.query(closeGaps, [userId]);
    });
    await this.#options.onChange(userId);
  }

  /** A photo with addresses for one viewer. */
  present(viewerId: string, photo: StoredPhoto): Photo {
    const { links } = this.#options;
    const { id, key, width, height, position, placeholder } = photo;
    const url = links.urlFor(viewerId, key, 'card');
    const thumbnailUrl = links.urlFor(viewerId, key, 'thumb');
    return { id, url, thumbnailUrl, width, height, position, placeholder };
  }

  /** The file behind an address (`PhotoLinks`). FORBIDDEN whatever is wrong with it, a block included. */
  async file(key: string, file: string, token: string, signature: string): Promise<Buffer> {
    const link = this.#options.links.read(key, file, token, signature);
    if (link === undefined) throw new DuetError('FORBIDDEN');
    const [owner] = await this.#options.db.query(findVisible, [key, link.viewerId]);
    if (owner === undefined) throw new DuetError('FORBIDDEN');
    const path = fileOf(key, link.file);
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    const bytes = await this.#options.store.get(path);
    if (bytes === undefined) throw new DuetError('FORBIDDEN');
    this.#files.set(path, bytes);
    return bytes;
  }

  /** Puts a person's pictures on the list of those that may not be uploaded again. For bans. */
  async banPicturesOf(userId: string): Promise<void> {
    await this.#options.db.query(banPhotosOf, [userId]);
  }

  /** Takes a person's pictures off that list again. */
  async allowPicturesOf(userId: string): Promise<void> {
    await this.#options.db.query(allowPhotosOf, [userId]);
  }

  /** Removes the files of all of a person's photos; the rows stay. UNAVAILABLE while the store is away. */
  async removeFilesOf(userId: string): Promise<void> {
    const rows = await this.#options.db.query(keysOf, [userId]);
    await this.#options.store.remove(rows.flatMap(({ key }) => filesOf(key)));
  }

  /** The place is taken before anything is decoded: the seventh of many uploads costs next to nothing. */
  async #add(userId: string, read: () => Promise<PhotoImage>): Promise<Photo> {
    const id = newId();
    const key = newSecret();
    await this.#reserve(userId, id, key);
    try {
      const image = await read();
      await this.#refuseBanned(image);
      await this.#storeFiles(key, image);
      const position = await this.#finish(userId, id, image);
      const { width, height, placeholder } = image;
      return this.present(userId, { id, key, width, height, position, placeholder });
    } catch (error) {
      await this.#options.db.query(dropReservation, [id]);
      throw error;
    }
  }

  async #reserve(userId: string, id: string, key: string): Promise<void> {
    const { db, clock } = this.#options;
    await db.transaction(async (tx) => {
      const [person] = await tx.query(lockPerson, [userId]);
      if (person === undefined) throw new DuetError('NOT_FOUND');
      const taken = await tx.query(takenPositions, [userId]);
      if (taken.length >= MAX_PHOTOS) throw new DuetError('CONFLICT');
      const position = taken.reduce((next, row) => Math.max(next, row.position + 1), 0);
      await tx.query(reservePhoto, [id, userId, key, position, new Date(clock.now())]);
    });
  }

  async #refuseBanned(image: PhotoImage): Promise<void> {
    const [banned] = await this.#options.db.query(findBanned, [image.phash]);
    if (banned!.found) throw new DuetError('FORBIDDEN');
  }

  async #storeFiles(key: string, image: PhotoImage): Promise<void> {
    const { store } = this.#options;
    const puts = PHOTO_FILES.map((file) => store.put(fileOf(key, file), image.files[file], 'image/webp'));
    const failure = (await Promise.allSettled(puts)).find((result) => result.status === 'rejected');
    if (failure === undefined) return;
    await store.remove(filesOf(key)).catch(() => {
      // The store is away: files that made it there have no photo, and the sweeper removes them.
    });
    throw failure.reason;
  }

  async #finish(userId: string, id: string, image: PhotoImage): Promise<number> {
    const position = await this.#options.db.transaction(async (tx) => {
      await tx.query(lockPerson, [userId]);
      const [ready] = await tx.query(makeReady, [
        id,
        image.width,
        image.height,
        image.placeholder,
        image.phash,
      ]);
      // Swept meanwhile: it took longer than any upload may.
      if (ready === undefined) throw new DuetError('UNAVAILABLE');
      await tx.query(closeGaps, [userId]);
      await tx.query(countPhotos, [userId]);
      const [photo] = await tx.query(positionOf, [id]);
      return photo!.position;
    });
    await this.#options.onChange(userId);
    return position;
  }
}

/** The store's key of one file of a photo. */
export function fileOf(key: string, file: PhotoFile): string {
  return `${PHOTO_PREFIX}${key}/${file}.webp`;
}

function filesOf(key: string): string[] {
  return PHOTO_FILES.map((file) => fileOf(key, file));
}
