import { randomBytes, randomUUID } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** A new id of an entity: UUIDv7 (RFC 9562 section 5.7), so that ids sort by time of making. */
export function newId(): string {
  return uuidv7();
}

/** Below every id and above every id: where lists that run upwards or downwards begin. */
export const LOWEST_ID = '00000000-0000-0000-0000-000000000000';
export const HIGHEST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

let stampedMs = -1;
let stamp = '';

/**
 * The same where many are made and few of them last, as ids of requests: these need not sort within a millisecond, so
 * they are made of random UUIDs, of which Node keeps a stock; that is a tenth of the price.
 */
export function newCheapId(nowMs: number): string {
  if (nowMs !== stampedMs) {
    const time = nowMs.toString(16).padStart(12, '0');
    stamp = `${time.slice(0, 8)}-${time.slice(8)}-7`;
    stampedMs = nowMs;
  }
  return stamp + randomUUID().slice(15);
}

/** Whether `value` is a UUID in the one spelling that Duet writes (lower case, with hyphens). */
export function isId(value: string): boolean {
  return UUID.test(value);
}

/** An id as its 16 bytes. */
export function bytesOfId(id: string): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}

/** The first 16 bytes as an id is spelled, whatever they are. */
export function idOfBytes(bytes: Buffer): string {
  const hex = bytes.toString('hex', 0, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** A secret for a bearer: `bytes` random bytes (192 bits by default) in base64url. */
export function newSecret(bytes = 24): string {
  return randomBytes(bytes).toString('base64url');
}
