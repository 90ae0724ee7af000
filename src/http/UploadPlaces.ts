import { DuetError } from '../errors.ts';

/** Who has a place: an upload from when it may be written until its file is closed. */
export interface PlacedUpload {
  /** Whose it is. */
  readonly userId: string;
  /** Not yet all of it is there. */
  readonly isArriving: boolean;
  /** Ends it, for somebody who has fewer. It leaves at once. */
  giveWay(): void;
}

/** Uploads under way at once in this process; with the largest photos they take 2.5 GB of disk. */
export const MAX_UPLOADS = 256;
const RETRY_AFTER_SEC = 2;

/** Shares the places for uploads out. Whoever has many has them for as long as nobody who has fewer needs one. */
export class UploadPlaces {
  readonly #byUser = new Map<string, Set<PlacedUpload>>();
  #taken = 0;

  /**
   * Gives `upload` a place. When all are taken, the oldest upload of whoever has most ends; throws 429 when that is this
   * person, 503 when nobody has one to give.
   */
  take(upload: PlacedUpload): void {
    const { userId } = upload;
    if (this.#taken >= MAX_UPLOADS) this.#makeRoom(this.#byUser.get(userId)?.size ?? 0);
    const own = this.#byUser.get(userId) ?? new Set();
    this.#byUser.set(userId, own.add(upload));
    this.#taken++;
  }

  leave(upload: PlacedUpload): void {
    const own = this.#byUser.get(upload.userId);
    if (own?.delete(upload) !== true) return;
    this.#taken--;
    if (own.size === 0) this.#byUser.delete(upload.userId);
  }

  #makeRoom(ownCount: number): void {
    let most: PlacedUpload[] = [];
    for (const theirs of this.#byUser.values()) if (theirs.size > most.length) most = [...theirs];
    if (ownCount >= most.length) throw new DuetError('TOO_MANY_REQUESTS', { retryAfterSec: RETRY_AFTER_SEC });
    const oldest = most.find((upload) => upload.isArriving);
    // To take the place of somebody who then has fewer would only go round in circles.
    if (ownCount + 1 >= most.length || oldest === undefined)
      throw new DuetError('UNAVAILABLE', { retryAfterSec: RETRY_AFTER_SEC });
    oldest.giveWay();
  }
}
