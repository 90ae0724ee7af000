/** The devices that are pushed to: which there are, and which of them have heard of a call by themselves. */
import type { Clock } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { sql } from '../db/sql.ts';
import type { Log } from '../log.ts';
import type { DataKeys, StoredText } from '../platform/DataKeys.ts';
import { LruMap } from '../platform/LruMap.ts';
import { PushRefused, type PushTarget, type WebPush } from '../platform/WebPush.ts';
import type { Heard, InboxHub } from './InboxHub.ts';
import type { StoredEvent } from './outbox.ts';

export interface PushDevicesOptions {
  db: Database;
  push: WebPush;
  /** Says which devices have heard of a call by themselves, and is told which were pushed to. */
  hub: Pick<InboxHub, 'onHeard' | 'tellHeard'>;
  clock: Clock;
  log: Log;
  keys: DataKeys;
}

/** What a device is told: which call, and what became of it. Who calls, it asks for when it wakes up. */
export interface PushMessage {
  type: 'call:incoming' | 'call:answered' | 'call:rejected' | 'call:cancelled' | 'call:missed';
  callId: string;
}

/** Sign-ins that have heard of calls lately: many times as many as do while a call rings. One more forgets the longest silent. */
const MAX_HEARD = 50_000;
/** Devices a person. */
export const MAX_DEVICES = 10;

/** A device: found by the keyed hash of its address, which itself is sealed. In rows from before, found by its address. */
interface TargetRow {
  session_id: string;
  endpoint: string;
  address: StoredText | null;
  p256dh: StoredText;
  auth: StoredText;
}

const findTargets = sql<TargetRow>(
  'push-targets',
  `select s.session_id, s.endpoint, s.address, s.p256dh, s.auth from push_subscriptions s
     join sessions l on l.id = s.session_id and l.revoked_at is null and l.expires_at > $2
   where s.user_id = $1 and not exists (select from calls where id = $3 and phase <> 'ringing')
   limit ${MAX_DEVICES}`,
);
const saveTarget = sql(
  'push-subscribe',
  `with before as (delete from push_subscriptions where endpoint = $7)
   insert into push_subscriptions (endpoint, user_id, session_id, p256dh, auth, address) values ($1, $2, $3, $4, $5, $6)
   on conflict (endpoint) do update set user_id = excluded.user_id, session_id = excluded.session_id,
     p256dh = excluded.p256dh, auth = excluded.auth, address = excluded.address`,
);
const trimTargets = sql(
  'push-trim',
  `delete from push_subscriptions where endpoint in (
     select s.endpoint from push_subscriptions s left join sessions l on l.id = s.session_id
     where s.user_id = $1 order by l.revoked_at is null and l.expires_at > $2 desc nulls last, s.created_at desc
     offset ${MAX_DEVICES})`,
);
const dropTarget = sql(
  'push-unsubscribe',
  'delete from push_subscriptions where endpoint = any ($1::text[]) and user_id = $2',
);

export class PushDevices {
  readonly #options: PushDevicesOptions;
  /** Up to where, by sign-in: also of what nothing waits for here, for a call may be found here later. */
  readonly #heard = new LruMap<string, Heard>(MAX_HEARD);

  constructor(options: PushDevicesOptions) {
    this.#options = options;
    options.hub.onHeard((heard) => this.#noteHeard(heard));
  }

  get publicKey(): string {
    return this.#options.push.publicKey;
  }

  /**
   * A device of this person is to be told from now on, for as long as it is signed in. Beyond `MAX_DEVICES` those that
   * were signed out are forgotten, then the oldest.
   */
  async subscribe(device: { userId: string; sessionId: string }, target: PushTarget): Promise<void> {
    const { db, clock, keys } = this.#options;
    const { userId, sessionId } = device;
    const { endpoint } = target;
    const sealed = [target.p256dh, target.auth, endpoint].map((text) => keys.seal('push', text));
    await db.query(saveTarget, [keys.tag('push', endpoint), userId, sessionId, ...sealed, endpoint]);
    await db.query(trimTargets, [userId, new Date(clock.now())]);
  }

  async unsubscribe(userId: string, endpoint: string): Promise<void> {
    const { db, keys } = this.#options;
    await db.query(dropTarget, [[keys.tag('push', endpoint), endpoint], userId]);
  }

  /**
   * Pushes a message to those of its receiver's devices that have not heard of the event. Rejects when one could not be
   * reached: those that were are left out the next time. It is worth nothing after `ttlSec`.
   */
  async tell(event: StoredEvent, message: PushMessage, ttlSec: number): Promise<void> {
    const { db, push, hub, clock, keys } = this.#options;
    const { userId, seq, at } = event;
    // A ring that is over by now is none.
    const mustRing = message.type === 'call:incoming' ? message.callId : null;
    const targets = await db.query(findTargets, [userId, new Date(clock.now()), mustRing]);
    const outcomes = await Promise.allSettled(
      targets.map(async (row) => {
        const heard: Heard = { userId, sessionId: row.session_id, seq, at };
        if (this.#hasHeard(heard)) return;
        const target = opened(row, keys);
        const outcome = await push.send(target, message, ttlSec).catch((err: unknown) => {
          if (!(err instanceof PushRefused)) throw err;
          this.#options.log.warn({ err }, 'a device is not pushed to: its push service refuses it');
        });
        if (outcome === 'gone') return this.unsubscribe(userId, target.endpoint);
        // Where the bus is down as well, what is tried again goes to none of them twice. One that is refused will be the
        // next time too.
        this.#noteHeard(heard);
        hub.tellHeard(heard);
      }),
    );
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  #noteHeard(heard: Heard): void {
    if (!this.#hasHeard(heard)) this.#heard.set(signInOf(heard), heard);
  }

  /** A log that lost its end gives out numbers again that were heard: what was told later than those is news. */
  #hasHeard(heard: Heard): boolean {
    const last = this.#heard.get(signInOf(heard));
    return last !== undefined && last.seq >= heard.seq && isNoLater(heard.at, last.at);
  }
}

function signInOf({ userId, sessionId }: Heard): string {
  return `${userId} ${sessionId}`;
}

function isNoLater(at: number | undefined, than: number | undefined): boolean {
  return at === undefined || than === undefined || at <= than;
}

function opened({ endpoint, address, p256dh, auth }: TargetRow, keys: DataKeys): PushTarget {
  return {
    endpoint: address === null ? endpoint : keys.open(address),
    p256dh: keys.open(p256dh),
    auth: keys.open(auth),
  };
}
