import type { Database } from '../db/Database.ts';
import { sql } from '../db/sql.ts';
import { DuetError } from '../errors.ts';
import type { Principal } from './AccessTokens.ts';

const setDeviceKey = sql<{ id: string }>(
  'device-key-set',
  'update sessions set device_key = $3 where id = $1 and user_id = $2 and revoked_at is null returning id',
);

const readDeviceKey = sql<{ device_key: Buffer | null }>(
  'device-key-read',
  'select device_key from sessions where id = $1 and revoked_at is null',
);

/**
 * The public Ed25519 keys of devices, one a sign-in. A device signs its keys for end-to-end encryption with it; here
 * it is only looked at that a device does not go by the key of another.
 */
export class DeviceKeys {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Registers a key (base64url) for a sign-in, in place of an earlier one. Throws UNAUTHORIZED when that is over. */
  async register({ sessionId, userId }: Principal, key: string): Promise<void> {
    const rows = await this.#db.query(setDeviceKey, [sessionId, userId, Buffer.from(key, 'base64url')]);
    if (rows.length === 0) throw new DuetError('UNAUTHORIZED');
  }

  /** The key of a sign-in as base64url; undefined when it has none. */
  async of(sessionId: string): Promise<string | undefined> {
    const [row] = await this.#db.query(readDeviceKey, [sessionId]);
    return row?.device_key?.toString('base64url');
  }
}
