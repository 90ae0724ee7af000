/**
 * A person's photos: at most six, in order, the first is the main one. A photo first takes its place (a row that
 * nobody sees), then its files are stored, then it is ready; whatever fails on the way leaves nothing behind, and
 * what a crash leaves behind is swept.
 */
import type { Clock } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import type { Sql } from '../db/sql.ts';
import { DuetError } from '../errors.ts';
import { newId, newSecret } from '../ids.ts';
import { LruMap } from '../platform/LruMap.ts';
import type { ObjectStore } from '../platform/ObjectStore.ts';
import { Semaphore } from '../platform/Semaphore.ts';
import type { PhotoLinks } from './PhotoLinks.ts';
import { PHOTO_FILES, type PhotoFile, type PhotoImage, readPhoto } from './photoImage.ts';
import {
  allowPhotosOf,
  banPhotosOf,
  closeGaps,
  countPhotos,
  deletePhoto,
  dropLeftBehind,
  dropReservation,
  findBanned,
  findReady,
  findReadyKey,
  findVisible,
  keysOf,
  lockBanned,
  lockPerson,
  makeReady,
  positionOf,
  readyPhotos,
  reservePhoto,
  setPositions,
  takenPositions,
} from './photoSql.ts';
import { MAX_PHOTOS, type Photo } from './shapes.ts';

export interface PhotosOptions {
  db: Database;
  store: ObjectStore;
  links: PhotoLinks;
  clock: Clock;
  /** Told after a person's photos changed. */
  onChange: (userId: string) => Promise<void>;
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
/** Longer than any upload takes: a place that was taken before is one that a crash has left. */
export const ABANDONED_AFTER_MS = 600_000;
/** Images that are decoded at once; each may take 150 MB for a moment. */
const DECODERS_AT_ONCE = 2;
/** They wait in files, not in memory. */
const UPLOADS_WAITING = 256;
const BYTES_IN_MEMORY = 64 * 1024 * 1024;

export class Photos {
  readonly #options: PhotosOptions;
  readonly #decoders = new Semaphore(DECODERS_AT_ONCE, UPLOADS_WAITING);
  /** Files asked for lately. Keys are random and files never change, so there is nothing to invalidate. */
  readonly #files = new LruMap<string, Buffer>(BYTES_IN_MEMORY, (bytes) => bytes.length);
  /** Uploads in work, by id: the same one sent again waits for what comes of the first. */
  readonly #inWork = new Map<string, Promise<Photo>>();

  constructor(options: PhotosOptions) {
    this.#options = options;
  }

  /**
   * Adds an image as the last photo. 400 unreadable or too large in pixels, 403 a banned picture, 409 six are
   * there, 415 no JPEG, PNG or WebP, 503 the store or too many uploads at once. Where there is a photo of this `id`
   * already, or one on its way, that is it.
   */
  upload(userId: string, image: Buffer | PhotoSource, id = newId()): Promise<Photo> {
    const inWork = this.#inWork.get(id);
    if (inWork !== undefined) return inWork;
    // Read when its turn comes: those that wait cost no memory.
    const read = async () => readPhoto(Buffer.isBuffer(image) ? image : await image.bytes());
    const made = this.#add(userId, id, () => this.#decoders.run(read));
    this.#inWork.set(id, made);
    return made.finally(() => this.#inWork.delete(id));
  }

  /** One of a person's own; NOT_FOUND when it is not there. */
  async own(userId: string, photoId: string): Promise<Photo> {
    const [photo] = await this.#options.db.query(findReady, [photoId, userId]);
    if (photo === undefined) throw new DuetError('NOT_FOUND');
    return this.present(userId, photo);
  }

  /** Adds an image that was read already. */
  add(userId: string, image: PhotoImage): Promise<Photo> {
    return this.#add(userId, newId(), () => Promise.resolve(image));
  }

  /** Removes a photo; its files are gone when this resolves, or soon after if the store is away. */
  async remove(userId: string, photoId: string): Promise<void> {
    const key = await this.#options.db.transaction(async (tx) => {
      await tx.query(lockPerson, [userId]);
      const [gone] = await tx.query(deletePhoto, [photoId, userId]);
      if (gone === undefined) throw new DuetError('NOT_FOUND');
      await renumber(tx, userId);
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
      await renumber(tx, userId);
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

  /** Puts a person's pictures on the list of those that may not be uploaded again. For bans, in their transaction. */
  async banPicturesOf(tx: Sql, userId: string): Promise<void> {
    await tx.query(lockBanned, []);
    await tx.query(banPhotosOf, [userId]);
  }

  /** Takes the pictures of a person whose ban was lifted off that list, unless others are banned who have them. */
  async allowPicturesOf(tx: Sql, userId: string): Promise<void> {
    await tx.query(lockBanned, []);
    await tx.query(allowPhotosOf, [userId]);
  }

  /** Removes the files of all of a person's photos; the rows stay. UNAVAILABLE while the store is away. */
  async removeFilesOf(userId: string): Promise<void> {
    const rows = await this.#options.db.query(keysOf, [userId]);
    await this.#options.store.remove(rows.flatMap(({ key }) => filesOf(key)));
  }

  /** The place is taken before anything is decoded: the seventh of many uploads costs next to nothing. */
  async #add(userId: string, id: string, read: () => Promise<PhotoImage>): Promise<Photo> {
    const key = newSecret();
    const made = await this.#reserve(userId, id, key);
    if (made !== undefined) return this.present(userId, made);
    let isStored = false;
    try {
      const image = await read();
      await this.#refuseBanned(image);
      isStored = true;
      await this.#storeFiles(key, image);
      const position = await this.#finish(userId, id, key, image);
      const { width, height, placeholder } = image;
      return this.present(userId, { id, key, width, height, position, placeholder });
    } catch (error) {
      await this.#undo(id, key, isStored).catch(() => {
        // The database or the store is away: the sweeper removes the row, and files that have no photo.
      });
      throw error;
    }
  }

  /** Gives the place back and removes the files, unless the photo is ready: then only the answer was lost. */
  async #undo(id: string, key: string, isStored: boolean): Promise<void> {
    const { db, store } = this.#options;
    await db.query(dropReservation, [id, key]);
    if (!isStored) return;
    // Asked after the deletion, which has waited for a commit that was still under way.
    const [ready] = await db.query(findReadyKey, [key]);
    if (ready === undefined) await store.remove(filesOf(key));
  }

  /** Resolves with the photo if it is there already. */
  async #reserve(userId: string, id: string, key: string): Promise<StoredPhoto | undefined> {
    const { db, clock } = this.#options;
    return db.transaction(async (tx) => {
      const [person] = await tx.query(lockPerson, [userId]);
      if (person?.status !== 'active') throw new DuetError('NOT_FOUND');
      const [made] = await tx.query(findReady, [id, userId]);
      if (made !== undefined) return made;
      await tx.query(dropLeftBehind, [id, userId, new Date(clock.now() - ABANDONED_AFTER_MS)]);
      const taken = await tx.query(takenPositions, [userId]);
      if (taken.length >= MAX_PHOTOS) throw new DuetError('CONFLICT');
      const position = taken.reduce((next, row) => Math.max(next, row.position + 1), 0);
      await tx.query(reservePhoto, [id, userId, key, position, new Date(clock.now())]);
      return undefined;
    });
  }

  async #refuseBanned(image: PhotoImage): Promise<void> {
    const [banned] = await this.#options.db.query(findBanned, [image.phash]);
    if (banned!.found) throw new DuetError('FORBIDDEN');
  }

  async #storeFiles(key: string, image: PhotoImage): Promise<void> {
    const { store } = this.#options;
    const puts = PHOTO_FILES.map((file) => store.put(fileOf(key, file), image.files[file], 'image/webp'));
    // All of them: none is to arrive after it was removed.
    const failure = (await Promise.allSettled(puts)).find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  }

  /**
   * Much may have happened since the place was taken. Of who was banned meanwhile the picture is kept with the others, and
   * on the list with them; of who left or was suspended, or of an account that has another owner now, nothing is.
   */
  async #finish(userId: string, id: string, key: string, image: PhotoImage): Promise<number> {
    const { width, height, placeholder, phash } = image;
    const [status, position] = await this.#options.db.transaction(async (tx) => {
      const [person] = await tx.query(lockPerson, [userId]);
      if (person?.status !== 'active' && person?.status !== 'banned') throw new DuetError('NOT_FOUND');
      const [ready] = await tx.query(makeReady, [id, width, height, placeholder, phash, key]);
      // Swept meanwhile, for it took longer than any upload may, or the account's new owner has none of it.
      if (ready === undefined) throw new DuetError('UNAVAILABLE');
      await renumber(tx, userId);
      if (person.status === 'banned') await this.banPicturesOf(tx, userId);
      const [photo] = await tx.query(positionOf, [id]);
      return [person.status, photo!.position];
    });
    await this.#options.onChange(userId);
    if (status === 'banned') throw new DuetError('NOT_FOUND');
    return position;
  }
}

/** After every change of somebody's photos: their places, their number, the person's version. */
async function renumber(tx: Sql, userId: string): Promise<void> {
  await tx.query(closeGaps, [userId]);
  await tx.query(countPhotos, [userId]);
}

/** The store's key of one file of a photo. */
function fileOf(key: string, file: PhotoFile): string {
  return `${PHOTO_PREFIX}${key}/${file}.webp`;
}

function filesOf(key: string): string[] {
  return PHOTO_FILES.map((file) => fileOf(key, file));
}
