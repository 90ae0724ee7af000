/**
 * Mirrors what cannot wait to the devices of people of whom no client is connected: a call that comes in, is
 * cancelled, was missed. Who is connected acknowledges within a moment; what is not acknowledged by then is pushed.
 */
import type { Clock } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { sql } from '../db/sql.ts';
import type { Log } from '../log.ts';
import type { PushTarget, WebPush } from '../platform/WebPush.ts';
import type { StoredEvent } from './outbox.ts';

export interface PushMirrorOptions {
  db: Database;
  push: WebPush;
  clock: Clock;
  log: Log;
  /** How long a connected client may take to acknowledge. Default 1,500 ms. */
  graceMs?: number;
}

/** What a device is told: which call, and what became of it. Who calls, it asks for when it wakes up. */
export interface PushMessage {
  type: 'call:incoming' | 'call:cancelled' | 'call:missed';
  callId: string;
}

const GRACE_MS = 1_500;
/** A call that nobody hears of for this long is none any more. */
const TTL_SEC = 30;
/** Pushes that wait for their moment; beyond it they are dropped, and the inbox alone tells. */
const MAX_WAITING = 10_000;
/** Devices a person. */
export const MAX_DEVICES = 10;

const findTargets = sql<{ endpoint: string; p256dh: string; auth: string }>(
  'push-targets',
  `select s.endpoint, s.p256dh, s.auth from push_subscriptions s
     join sessions l on l.id = s.session_id and l.revoked_at is null and l.expires_at > $3
     join inboxes i on i.user_id = s.user_id
   where s.user_id = $1 and i.acked < $2 limit ${MAX_DEVICES}`,
);
const saveTarget = sql(
  'push-subscribe',
  `insert into push_subscriptions (endpoint, user_id, session_id, p256dh, auth) values ($1, $2, $3, $4, $5)
   on conflict (endpoint) do update set user_id = excluded.user_id, session_id = excluded.session_id,
     p256dh = excluded.p256dh, auth = excluded.auth`,
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
  'delete from push_subscriptions where endpoint = $1 and user_id = $2',
);

export class PushMirror {
  readonly #options: PushMirrorOptions;
  #waiting = 0;

  constructor(options: PushMirrorOptions) {
    this.#options = options;
  }

  get publicKey(): string {
    return this.#options.push.publicKey;
  }

  /**
   * A device of this person is to be told from now on, for as long as it is signed in. Beyond `MAX_DEVICES` those that
   * were signed out are forgotten, then the oldest.
   */
  async subscribe(device: { userId: string; sessionId: string }, target: PushTarget): Promise<void> {
    const { db, clock } = this.#options;
    const { userId, sessionId } = device;
    await db.query(saveTarget, [target.endpoint, userId, sessionId, target.p256dh, target.auth]);
    await db.query(trimTargets, [userId, new Date(clock.now())]);
  }

  async unsubscribe(userId: string, endpoint: string): Promise<void> {
    await this.#options.db.query(dropTarget, [endpoint, userId]);
  }

  /** Looks at committed events; returns at once and never throws. */
  mirror(events: readonly StoredEvent[]): void {
    for (const event of events) {
      const message = messageOf(event);
      if (message === undefined || this.#waiting >= MAX_WAITING) continue;
      this.#waiting += 1;
      this.#options.clock.after(this.#options.graceMs ?? GRACE_MS, () => {
        this.#waiting -= 1;
        this.#push(event, message).catch((err: unknown) => {
          this.#options.log.warn({ err }, 'a push could not be sent; the inbox has the event');
        });
      });
    }
  }

  async #push(event: StoredEvent, message: PushMessage): Promise<void> {
    const { db, push, clock } = this.#options;
    const targets = await db.query(findTargets, [event.userId, event.seq, new Date(clock.now())]);
    const outcomes = await Promise.allSettled(
      targets.map(async (target) => {
        if ((await push.send(target, message, TTL_SEC)) === 'gone')
          await this.unsubscribe(event.userId, target.endpoint);
      }),
    );
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}

function messageOf(event: StoredEvent): PushMessage | undefined {
  if (event.type !== 'call:incoming' && event.type !== 'call:ended') return undefined;
  const { call } = event.payload as { call: { id: string; calleeId: string; outcome: string | null } };
  if (call.calleeId !== event.userId) return undefined;
  if (event.type === 'call:incoming') return { type: 'call:incoming', callId: call.id };
  if (call.outcome === 'missed') return { type: 'call:missed', callId: call.id };
  return call.outcome === 'cancelled' ? { type: 'call:cancelled', callId: call.id } : undefined;
}
