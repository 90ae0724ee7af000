import { createHmac } from 'node:crypto';
import { DAY_MS } from '../days.ts';
import { type Sql, sql } from '../db/sql.ts';
import { deriveKeys, type Secrets } from '../platform/keys.ts';
import { deviceName } from './client.ts';

/** A device that was not seen for this long is new again. */
const KEEP_MS = 90 * DAY_MS;

const seeDevice = sql<{ known: boolean; others: boolean }>(
  'device-see',
  `with before as (
     select coalesce(bool_or(fingerprint = any(array[$2, $3]::bytea[])), false) as known, count(*) > 0 as others
     from devices where user_id = $1 and seen_at > $5
   ), kept as (
     insert into devices (user_id, fingerprint, seen_at) values ($1, $2, $4)
     on conflict (user_id, fingerprint) do update set seen_at = excluded.seen_at
   )
   select known, others from before`,
);

const forgetDevices = sql('device-forget', 'delete from devices where seen_at <= $1');

/**
 * The devices that an account was used from: a keyed hash of device id and browser, kept for 90 days. It decides
 * whether a mail is sent, never whether somebody may come in.
 */
export class Devices {
  readonly #keys: Buffer[];

  constructor(secrets: Secrets) {
    this.#keys = deriveKeys(secrets, 'device fingerprint');
  }

  /** Remembers a device; true when it is new to an account that has others. */
  async isNew(tx: Sql, userId: string, deviceId: string, userAgent: string, nowMs: number): Promise<boolean> {
    const text = `${deviceId} ${deviceName(userAgent)}`;
    const prints = this.#keys.map((key) => createHmac('sha256', key).update(text).digest());
    const rows = await tx.query(seeDevice, [
      userId,
      prints[0]!,
      prints.at(-1)!,
      new Date(nowMs),
      new Date(nowMs - KEEP_MS),
    ]);
    const { known, others } = rows[0]!;
    return others && !known;
  }

  /** Deletes what is older than 90 days. */
  async forgetOld(tx: Sql, nowMs: number): Promise<void> {
    await tx.query(forgetDevices, [new Date(nowMs - KEEP_MS)]);
  }
}
