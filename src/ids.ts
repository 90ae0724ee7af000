import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** A new id of an entity: UUIDv7 (RFC 9562 section 5.7), so that ids sort by time of making. */
export function newId(): string {
  return uuidv7();
}

/** Whether `value` is a UUID in the one spelling that Duet writes (lower case, with hyphens). */
export function isId(value: string): boolean {
  return UUID.test(value);
}

/** A secret for a bearer: `bytes` random bytes (192 bits by default) in base64url. */
export function newSecret(bytes = 24): string {
  return randomBytes(bytes).toString('base64url');
}
