/**
 * Addresses of photos: signed, expiring, made for one viewer. Duet serves the files itself (the store stays
 * private), so that a block or a removed photo is in force at once and not when a link runs out.
 *
 * `/photos/<random key>/<size>.webp?t=<viewer and expiry, encrypted>&s=<signature>`: no id of a person is in it.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { HOUR_MS } from '../days.ts';
import { bytesOfId, idOfBytes } from '../ids.ts';
import { LruMap } from '../platform/LruMap.ts';
import { PHOTO_FILES, type PhotoFile } from './photoImage.ts';

export interface PhotoLinksOptions {
  clock: Clock;
  /** Secret of the installation; the keys used here are derived from it. */
  secret: string;
  /** Where the server is reached, without a trailing slash. Asked for each link: a port may be known late. */
  publicUrl: () => string;
}

/** What a good link says. */
export interface PhotoLink {
  viewerId: string;
  key: string;
  file: PhotoFile;
}

/** How long a link is good for, at least; at most twice that. */
const VALID_MS = HOUR_MS;
const SIGNATURE_BYTES = 16;

export class PhotoLinks {
  readonly #clock: Clock;
  readonly #publicUrl: () => string;
  readonly #sealKey: Buffer;
  readonly #signKey: Buffer;
  /** One token serves all links of a viewer's hour: sealing is the dear part of a link. */
  readonly #tokens = new LruMap<string, { token: string; expiresAt: number }>(50_000);

  constructor(options: PhotoLinksOptions) {
    this.#clock = options.clock;
    this.#publicUrl = options.publicUrl;
    const derive = (use: string) =>
      Buffer.from(hkdfSync('sha256', options.secret, '', `duet photo ${use}`, 32));
    this.#sealKey = derive('viewer');
    this.#signKey = derive('signature');
  }

  /** The address of one file of a photo for one viewer. The same for everything asked within `VALID_MS`. */
  urlFor(viewerId: string, key: string, file: PhotoFile): string {
    const token = this.#tokenFor(viewerId);
    return `${this.#publicUrl()}/photos/${key}/${file}.webp?t=${token}&s=${this.#sign(token, key, file)}`;
  }

  /** What the parts of an address say, or undefined if any of it is wrong or its time is over. */
  read(key: string, file: string, token: string, signature: string): PhotoLink | undefined {
    const name = PHOTO_FILES.find((known) => `${known}.webp` === file);
    if (name === undefined) return undefined;
    // As text: what is decoded loses what does not belong there, and many spellings would be one.
    const given = Buffer.from(signature);
    const right = Buffer.from(this.#sign(token, key, name));
    if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
    const { viewerId, expiresAt } = this.#open(token);
    return expiresAt < this.#clock.now() ? undefined : { viewerId, key, file: name };
  }

  #tokenFor(viewerId: string): string {
    const now = this.#clock.now();
    const known = this.#tokens.get(viewerId);
    if (known !== undefined && known.expiresAt - now >= VALID_MS) return known.token;
    const expiresAt = (Math.floor(now / VALID_MS) + 2) * VALID_MS;
    const token = this.#seal(viewerId, expiresAt);
    this.#tokens.set(viewerId, { token, expiresAt });
    return token;
  }

  #sign(token: string, key: string, file: PhotoFile): string {
    return createHmac('sha256', this.#signKey)
      .update(`${token}\n${key}\n${file}`)
      .digest()
      .subarray(0, SIGNATURE_BYTES)
      .toString('base64url');
  }

  #seal(viewerId: string, expiresAt: number): string {
    const plain = Buffer.alloc(24);
    bytesOfId(viewerId).copy(plain);
    plain.writeBigUInt64BE(BigInt(expiresAt), 16);
    // The nonce is a keyed hash of what is sealed: the same in, the same out, never one nonce for two plaintexts.
    const nonce = createHmac('sha256', this.#signKey).update(plain).digest().subarray(0, 12);
    const cipher = createCipheriv('aes-256-gcm', this.#sealKey, nonce);
    return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString(
      'base64url',
    );
  }

  /** Only for tokens whose signature was right: those were sealed here. */
  #open(token: string): { viewerId: string; expiresAt: number } {
    const sealed = Buffer.from(token, 'base64url');
    const decipher = createDecipheriv('aes-256-gcm', this.#sealKey, sealed.subarray(0, 12));
    decipher.setAuthTag(sealed.subarray(-16));
    const plain = Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]);
    return { viewerId: idOfBytes(plain), expiresAt: Number(plain.readBigUInt64BE(16)) };
  }
}
