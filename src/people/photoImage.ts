/**
 * An uploaded image, made safe: known by its content, bounded in pixels and memory before it is decoded, turned
 * upright and encoded anew, so that nothing of the original file (camera, place, time, thumbnails, trailing data) is left.
 */
import sharp, { type Metadata } from 'sharp';
import { DuetError } from '../errors.ts';
import { type ImageStructure, structureOf } from './imageStructure.ts';
import { perceptualHash } from './perceptualHash.ts';

export interface PhotoImage {
  /** The files to store, WebP, by name. */
  files: { full: Buffer; card: Buffer; thumb: Buffer };
  /** Of the card. */
  width: number;
  height: number;
  /** A tiny blurred preview as a data URL. */
  placeholder: string;
  /** 64 characters of 0 and 1. */
  phash: string;
}

export type PhotoFile = keyof PhotoImage['files'];
export const PHOTO_FILES: readonly PhotoFile[] = ['full', 'card', 'thumb'];
export const PHOTO_TYPES = ['image/jpeg', 'image/png', 'image/webp'] as const;
export const MAX_PHOTO_BYTES = 10 * 1024 * 1024;

const MAX_PIXELS = 40_000_000;
/** Of all its pixels as they are decoded, row by row: 40 megapixels of RGBA, or half as many with 16 bits each. */
const MAX_DECODED_BYTES = 160_000_000;
/** The same for what a decoder must hold whole: interlaced and progressive images, WebP that moves or is lossless. */
const MAX_HELD_BYTES = 100_000_000;
const MAX_SIDE = 16_000;
const MIN_SIDE = 64;
const FULL_SIDE = 2048;
const CARD_SIDE = 1080;
const THUMB_SIDE = 256;
const PLACEHOLDER_SIDE = 16;

/**
 * Throws 415 for what is no JPEG, PNG or WebP by its content, 400 for what is broken, too small, or too large or too
 * intricate to decode (found out from the headers, before any pixel is decoded).
 */
export async function readPhoto(bytes: Buffer): Promise<PhotoImage> {
  if (bytes.length === 0) throw refused('must not be empty');
  if (!looksLikePhoto(bytes)) throw new DuetError('UNSUPPORTED_MEDIA_TYPE');
  try {
    const structure = structureOf(bytes);
    if (structure.isTooIntricate) throw refused('has too many parts');
    await checkHeader(structure);
    return await encode(structure.decodable);
  } catch (error) {
    if (error instanceof DuetError) throw error;
    throw refused('cannot be read as an image', error);
  }
}

async function checkHeader({ decodable, heldWhole }: ImageStructure): Promise<void> {
  const header = await sharp(decodable, { limitInputPixels: false }).metadata();
  const { width, height } = header;
  if (width * height > MAX_PIXELS || Math.max(width, height) > MAX_SIDE) throw refused('has too many pixels');
  if (Math.min(width, height) < MIN_SIDE) throw refused(`must be at least ${MIN_SIDE} pixels wide and high`);
  if (decodedBytes(header) > MAX_DECODED_BYTES || heldBytes(header, heldWhole) > MAX_HELD_BYTES)
    throw refused(
      'takes too much memory to decode: it must be smaller, of 8 bits a channel, not interlaced and not animated',
    );
}

function heldBytes(header: Metadata, heldWhole: number): number {
  if (header.isProgressive) return decodedBytes(header);
  return header.width * header.height * 4 * heldWhole;
}

function decodedBytes({ width, height, channels, depth, format, isProgressive }: Metadata): number {
  // Of a progressive JPEG its coefficients are held, which have two bytes each.
  const wide = depth === 'ushort' || (format === 'jpeg' && isProgressive);
  return width * height * channels * (wide ? 2 : 1);
}

async function encode(bytes: Buffer): Promise<PhotoImage> {
  // One decode for all sizes; only the first frame of an animation; colours converted to sRGB, the profile dropped.
  const { data, info } = await sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: 'error', pages: 1 })
    .autoOrient()
    .resize({ width: FULL_SIDE, height: FULL_SIDE, fit: 'inside', withoutEnlargement: true })
    .flatten({ background: '#ffffff' })
    // Without it a profile of 16-bit images would be dropped and their colours taken for those of sRGB.
    .withIccProfile('srgb')
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const upright = () =>
    sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } });
  const [full, card, thumb, tiny, phash] = await Promise.all([
    upright().webp({ quality: 86 }).toBuffer(),
    upright()
      .resize({ width: CARD_SIDE, height: CARD_SIDE, fit: 'inside', withoutEnlargement: true })
      .webp({ quality: 80 })
      .toBuffer({ resolveWithObject: true }),
    upright()
      .resize(THUMB_SIDE, THUMB_SIDE, { fit: 'cover', position: 'attention' })
      .webp({ quality: 76 })
      .toBuffer(),
    upright()
      .resize(PLACEHOLDER_SIDE, PLACEHOLDER_SIDE, { fit: 'inside' })
      .blur(0.6)
      .webp({ quality: 30 })
      .toBuffer(),
    perceptualHash(upright()),
  ]);
  return {
    files: { full, card: card.data, thumb },
    width: card.info.width,
    height: card.info.height,
    placeholder: `data:image/webp;base64,${tiny.toString('base64')}`,
    phash,
  };
}

/** By the first bytes, whatever the request called it: JPEG, PNG or WebP. */
export function looksLikePhoto(bytes: Buffer): boolean {
  if (bytes.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff]))) return true;
  if (bytes.subarray(0, 8).equals(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]))) return true;
  return bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP';
}

function refused(message: string, cause?: unknown): DuetError {
  return new DuetError('VALIDATION_FAILED', {
    details: [{ path: '', message }],
    cause,
  });
}
