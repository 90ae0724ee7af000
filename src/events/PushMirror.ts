/**
 * Mirrors what cannot wait to the devices that are not connected: a call that comes in, is answered or declined
 * elsewhere, is cancelled, was missed. A device that is connected acknowledges within a moment; those that have not by
 * then are pushed to, whatever the others of the same person have heard: a page that is open at home does not keep the
 * phone from ringing.
 */
import { type Clock, sleep, type Timer } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { sql } from '../db/sql.ts';
import type { Log } from '../log.ts';
import type { DataKeys, StoredText } from '../platform/DataKeys.ts';
import { LruMap } from '../platform/LruMap.ts';
import { PushRefused, type PushTarget, type WebPush } from '../platform/WebPush.ts';
import type { Heard, InboxHub } from './InboxHub.ts';
import { eventsOfCall, type StoredEvent } from './outbox.ts';

export interface PushMirrorOptions {
  db: Database;
  push: WebPush;
  /**
   * Says which devices have heard of a call by themselves, and is told which were pushed to; says what all processes
   * publish, and which of it one of them has seen to.
   */
  hub: Pick<InboxHub, 'onHeard' | 'tellHeard' | 'onPublished' | 'onSeenTo' | 'tellSeenTo'>;
  clock: Clock;
  log: Log;
  keys: DataKeys;
  /** How long a connected client may take to acknowledge. Default 1,500 ms. */
  graceMs?: number;
}

/** What a device is told: which call, and what became of it. Who calls, it asks for when it wakes up. */
export interface PushMessage {
  type: 'call:incoming' | 'call:answered' | 'call:rejected' | 'call:cancelled' | 'call:missed';
  callId: string;
}

const GRACE_MS = 1_500;
/** A call that nobody hears of for this long is none any more. */
const TTL_SEC = 30;
/** What could not be sent is tried again: a moment later, then twice as late each time, up to this late. */
const AGAIN_FIRST_MS = 1_000;
const AGAIN_MOST_MS = 8_000;
/** Pushes that wait for their moment; beyond it they are dropped, and the inbox alone tells. */
const MAX_WAITING = 10_000;
/** Pushes that are remembered, so that none goes twice: those of the last seconds, during which a call may ring. */
const MAX_REMEMBERED = 10_000;
/** Sign-ins that have heard of calls lately: many times as many as do while a call rings. One more forgets the longest silent. */
const MAX_HEARD = 50_000;
/** What waits when the process ends has this long of the little time that closing may take. */
const CLOSE_WITHIN_MS = 300;
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
/**
 * What people were told of calls at the end of all that was told lately: whoever did it may have died before it was
 * pushed. $1: lately, $2: the end of it; in seconds.
 */
const readLast = sql<StoredEvent & { user_id: string }>(
  'push-last',
  `with lately as (
     select user_id, seq, epoch, at, type, payload from outbox
     where at >= now() - make_interval(secs => $1) and at < 'infinity'
   )
   select * from lately
   where type like 'call:%' and at >= (select max(at) from lately) - make_interval(secs => $2)
   order by at`,
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

/** How a call may end that was not answered, or that could not begin then. */
const STOPPED: readonly (string | null)[] = ['cancelled', 'unavailable', 'failed'];

/** What is to be pushed in a moment. */
interface Waiting {
  event: StoredEvent;
  message: PushMessage;
  /** Whether another process has it to do, and this one only if that does not say that it has. */
  isOthers: boolean;
  /** How often that failed. */
  failures: number;
  /** When it is worth nothing any more, by the clock. */
  endsAt: number;
  timer?: Timer;
}

export class PushMirror {
  readonly #options: PushMirrorOptions;
  readonly #waiting = new Set<Waiting>();
  /** Of those, what another process has to do. */
  readonly #othersByCall = new Map<string, Waiting>();
  /** Being pushed. */
  readonly #sending = new Set<Promise<void>>();
  #closed = false;
  /** What this process has seen to, by kind and call. */
  readonly #mirrored = new LruMap<string, true>(MAX_REMEMBERED);
  /** When the calls of the last seconds began to ring, by the clock that their ends are told by as well. */
  readonly #rangAt = new LruMap<string, number>(MAX_REMEMBERED);
  /** Up to where, by sign-in: also of what nothing waits for here, for a call may be found here later. */
  readonly #heard = new LruMap<string, Heard>(MAX_HEARD);

  constructor(options: PushMirrorOptions) {
    this.#options = options;
    options.hub.onHeard((heard) => this.#noteHeard(heard));
    options.hub.onPublished((event) => this.#overhear(event));
    options.hub.onSeenTo((callId) => this.#leave(callId));
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

  /** Looks at committed events; returns at once and never throws. An event that comes again is not pushed again. */
  mirror(events: readonly StoredEvent[]): void {
    for (const event of events) this.#mirror(event, this.#graceMs);
  }

  /**
   * Looks once, at the start, at what was told last before: whoever was to push it may have died, with nobody there to
   * hear of it. Returns at once and never throws.
   */
  lookBack(): void {
    const { db } = this.#options;
    db.query(readLast, [TTL_SEC, this.#graceMs / 1_000]).then(
      (rows) => {
        for (const { user_id: userId, ...event } of rows) this.#overhear({ ...event, userId });
      },
      (err: unknown) => this.#failed(err),
    );
  }

  /**
   * A call rings, and whether its callee was pushed to is not known: whoever committed it may have died before, or never
   * have heard that it is committed. Returns at once and never throws. Those that another process pushes to are left
   * out where it says so in time: it is given as long again.
   */
  ring(call: { id: string; calleeId: string }): void {
    this.#ring(call, this.#options.clock.now() + TTL_SEC * 1_000, 0);
  }

  #ring(call: { id: string; calleeId: string }, endsAt: number, failures: number): void {
    if (this.#closed || this.#mirrored.get(keyOf({ type: 'call:incoming', callId: call.id }))) return;
    const told = eventsOfCall(this.#options.db, call.id, [call.calleeId]);
    told.then(
      (events) => {
        for (const event of events)
          if (event.type === 'call:incoming') this.#mirror(event, 2 * this.#graceMs);
      },
      (err: unknown) => {
        this.#failed(err);
        const { clock } = this.#options;
        const delayMs = againMs(failures + 1);
        if (clock.now() + delayMs < endsAt)
          clock.after(delayMs, () => this.#ring(call, endsAt, failures + 1));
      },
    );
  }

  /**
   * What waits to tell devices that a call is over is told at once, unless that is another process's. A call that still
   * rings is seen to by whoever takes it over.
   */
  async close(): Promise<void> {
    this.#closed = true;
    for (const waiting of this.#waiting) {
      waiting.timer?.cancel();
      if (waiting.message.type !== 'call:incoming' && !waiting.isOthers) this.#send(waiting);
    }
    this.#waiting.clear();
    this.#othersByCall.clear();
    if (this.#sending.size === 0) return;
    await Promise.race([Promise.all(this.#sending), sleep(this.#options.clock, CLOSE_WITHIN_MS)]);
  }

  /**
   * What any process publishes. Whoever did may die before its devices are told to stop ringing: the others give it as
   * long again, and do it one after the other, so that the first can say so. A call that rings is found by whoever takes
   * it over.
   */
  #overhear(event: StoredEvent): void {
    const message = messageOf(event);
    if (message?.type === 'call:incoming') this.#rangAt.set(message.callId, event.at);
    else this.#mirror(event, (2 + Math.random()) * this.#graceMs, true);
  }

  /** Another process has told the devices that a call is over, or goes on trying to. */
  #leave(callId: string): void {
    const waiting = this.#othersByCall.get(callId);
    if (waiting === undefined) return;
    waiting.timer?.cancel();
    this.#drop(waiting);
  }

  #mirror(event: StoredEvent, delayMs: number, isOthers = false): void {
    const message = messageOf(event);
    // What others have to do leaves room for what only this process does.
    const most = isOthers ? MAX_WAITING / 2 : MAX_WAITING;
    if (message === undefined || this.#closed || this.#waiting.size >= most) return;
    const key = keyOf(message);
    if (this.#mirrored.get(key)) return;
    this.#mirrored.set(key, true);
    if (message.type === 'call:incoming') this.#rangAt.set(message.callId, event.at);
    else if (this.#isTooSoon(event, message)) return;
    const endsAt = this.#options.clock.now() + TTL_SEC * 1_000;
    this.#wait({ event, message, isOthers, failures: 0, endsAt }, delayMs);
  }

  #wait(waiting: Waiting, delayMs: number): void {
    waiting.timer = this.#options.clock.after(delayMs, () => {
      this.#drop(waiting);
      this.#send(waiting);
    });
    this.#waiting.add(waiting);
    if (waiting.isOthers) this.#othersByCall.set(waiting.message.callId, waiting);
  }

  #drop(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    if (waiting.isOthers) this.#othersByCall.delete(waiting.message.callId);
  }

  #send(waiting: Waiting): void {
    const sending = this.#push(waiting.event, waiting.message)
      .catch((err: unknown) => {
        this.#failed(err);
        this.#tryAgain(waiting);
      })
      .finally(() => {
        this.#sending.delete(sending);
        // From the first time on, whatever came of it: whoever fails tries again.
        if (waiting.message.type !== 'call:incoming' && waiting.failures <= 1)
          this.#options.hub.tellSeenTo(waiting.message.callId);
      });
    this.#sending.add(sending);
  }

  /** Those that were told are left out then, and nothing rings that is over by then. */
  #tryAgain(waiting: Waiting): void {
    waiting.failures += 1;
    waiting.isOthers = false;
    const delayMs = againMs(waiting.failures);
    const isWorthIt = this.#options.clock.now() + delayMs < waiting.endsAt;
    const hasRoom = this.#waiting.size < MAX_WAITING;
    if (isWorthIt && hasRoom && !this.#closed) this.#wait(waiting, delayMs);
    else this.#mirrored.delete(keyOf(waiting.message));
  }

  #failed(err: unknown): void {
    this.#options.log.warn(
      { err },
      'a push could not be sent: it is tried again while it is worth it; the inbox has the event',
    );
  }

  /**
   * So soon after it began, no device was pushed to that would have to stop ringing. Towards the end of that time one may
   * have been, and where it is not known when it began, or the database's clock was set since.
   */
  #isTooSoon({ at }: StoredEvent, { callId }: PushMessage): boolean {
    const rangMs = at - (this.#rangAt.get(callId) ?? Number.NEGATIVE_INFINITY);
    return rangMs >= 0 && rangMs < this.#graceMs / 2;
  }

  get #graceMs(): number {
    return this.#options.graceMs ?? GRACE_MS;
  }

  async #push(event: StoredEvent, message: PushMessage): Promise<void> {
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
        const outcome = await push.send(target, message, TTL_SEC).catch((err: unknown) => {
          if (!(err instanceof PushRefused)) throw err;
          this.#failed(err);
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

interface CallFacts {
  id: string;
  calleeId: string;
  outcome: string | null;
  startedAt?: string | null;
}

/** A call rings once, and is over once, whatever else becomes of it: that it failed after it was answered is no news. */
function keyOf({ type, callId }: PushMessage): string {
  return `${type === 'call:incoming' ? 'rings' : 'is over'} ${callId}`;
}

function signInOf({ userId, sessionId }: Heard): string {
  return `${userId} ${sessionId}`;
}

/** Half of it by chance, so that what failed together does not come again together. */
function againMs(failures: number): number {
  const mostMs = Math.min(AGAIN_FIRST_MS * 2 ** (failures - 1), AGAIN_MOST_MS);
  return (mostMs / 2) * (1 + Math.random());
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

function messageOf(event: StoredEvent): PushMessage | undefined {
  if (!event.type.startsWith('call:')) return undefined;
  // Of a release that is not this one it may look otherwise.
  const { call } = event.payload as { call?: CallFacts | null };
  if (!call || call.calleeId !== event.userId) return undefined;
  const of = (type: PushMessage['type']): PushMessage => ({ type, callId: call.id });
  switch (event.type) {
    case 'call:incoming':
    case 'call:answered':
    case 'call:rejected':
      return of(event.type);
    case 'call:ended':
      if (call.outcome === 'missed') return of('call:missed');
      // Whatever ends it while it rings: the caller, a pair that is severed, a failure. Nothing rings of one that began.
      return STOPPED.includes(call.outcome) && !call.startedAt ? of('call:cancelled') : undefined;
    default:
      return undefined;
  }
}
