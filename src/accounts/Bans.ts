import { createHmac } from 'node:crypto';
import { type Sql, sql } from '../db/sql.ts';
import { deriveKey } from '../platform/keys.ts';
import { emailKey } from './emailKey.ts';

const insertTags = sql(
  'ban-insert-tags',
  `insert into ban_tags (tag, user_id, kind)
   select tag, $1, kind from unnest($2::bytea[], $3::text[]) as t (tag, kind) on conflict do nothing`,
);
const deleteTags = sql('ban-delete-tags', 'delete from ban_tags where user_id = $1');
const devicesOf = sql<{ device_id: string }>(
  'ban-devices-of',
  'select distinct device_id from sessions where user_id = $1',
);
const findTag = sql<{ found: boolean }>(
  'ban-find-tag',
  'select exists (select from ban_tags where tag = any ($1::bytea[])) as found',
);

const findOthersTag = sql<{ found: boolean }>(
  'ban-find-others-tag',
  'select exists (select from ban_tags where tag = $1 and user_id <> $2) as found',
);

/**
 * What banned people could come back with: their mailbox, however it is spelled, and the devices they signed in from.
 * Kept as keyed hashes, under a key that no rotation of sign-in keys changes, and also when the account is erased.
 */
export class Bans {
  readonly #key: Buffer;

  /** `secret`: the key of data at rest. */
  constructor(options: { secret: string }) {
    this.#key = deriveKey(options.secret, 'ban tags');
  }

  /** Remembers somebody who is banned now, in the caller's transaction. `email`: of one that they proved to be theirs. */
  async add(tx: Sql, userId: string, email: string | undefined): Promise<void> {
    const emails = email === undefined ? [] : [this.#email(email)];
    const devices = (await tx.query(devicesOf, [userId])).map((row) => this.#device(row.device_id));
    const tags = [...emails, ...devices];
    const kinds = [...emails.map(() => 'email'), ...devices.map(() => 'device')];
    await tx.query(insertTags, [userId, tags.map((tag) => `\\x${tag.toString('hex')}`), kinds]);
  }

  /** Forgets a ban that was taken back. */
  async lift(tx: Sql, userId: string): Promise<void> {
    await tx.query(deleteTags, [userId]);
  }

  /** Whether somebody with this address or device was banned. */
  async holds(tx: Sql, email: string, deviceId: string | undefined): Promise<boolean> {
    const tags = [this.#email(email), ...(deviceId === undefined ? [] : [this.#device(deviceId)])];
    const [row] = await tx.query(findTag, [tags.map((tag) => `\\x${tag.toString('hex')}`)]);
    return row!.found;
  }

  /** Whether somebody else than this user was banned who signed in from this device. */
  async holdsDevice(tx: Sql, deviceId: string | undefined, userId: string): Promise<boolean> {
    if (deviceId === undefined) return false;
    const [row] = await tx.query(findOthersTag, [this.#device(deviceId), userId]);
    return row!.found;
  }

  #email(email: string): Buffer {
    return this.#tag(`email:${mailboxKey(email)}`);
  }

  #device(deviceId: string): Buffer {
    return this.#tag(`device:${deviceId}`);
  }

  #tag(text: string): Buffer {
    return createHmac('sha256', this.#key).update(text).digest();
  }
}

/**
 * The mailbox that an address most likely leads to: without a +tag and without dots before the @, which large
 * providers ignore. Only ever compared with banned ones; accounts are told apart by `emailKey`.
 */
export function mailboxKey(email: string): string {
  const [local = '', domain = ''] = emailKey(email).split('@');
  const plain = local.split('+')[0]!.replaceAll('.', '');
  return `${plain || local}@${domain === 'googlemail.com' ? 'gmail.com' : domain}`;
}
