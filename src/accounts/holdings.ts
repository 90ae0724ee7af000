import { type Statement, sql } from '../db/sql.ts';
import { LOWEST_ID } from '../ids.ts';

/**
 * What Duet holds about people: every table, what becomes of it when an account is erased, and what of it its owner is
 * given. A table that is not here fails a test (`test/integration/accounts/departure.test.ts`): whoever adds one decides.
 */
export interface Holding {
  /**
   * `gone`: with the person's row, by a foreign key or a trigger on `users`. Otherwise what stays, and why.
   */
  erase: 'gone' | { stays: string };
  /** Rows of user `$1` as JSON, or why they are not given out. */
  give: Statement<{ item: Record<string, unknown> }> | { kept: string };
  /** Whether the files behind those rows are given as well, by an address in place of their `key`. */
  files?: 'photo';
  /** Columns of those rows that are sealed. No others are opened: what people write may look as if it were. */
  sealed?: readonly string[];
}

const give = (table: string, select: string) =>
  sql<{ item: Record<string, unknown> }>(`export-${table}`, `select to_jsonb(x) as item from (${select}) x`);

/**
 * SQL: whether what has this id was made by who has the account. Before its owner came somebody else may have had it
 * (`predecessor.ts`); the last line of the security log that says so is where what the owner made begins, for ids sort
 * by time of making.
 */
const isOwn = (id: string) => `${id} >= coalesce((
  select t.id from audit_log t where t.user_id = $1 and t.action in ('email_verified', 'password_reset')
    and t.details->>'tookOver' = 'true' order by t.at desc limit 1), '${LOWEST_ID}')`;

const MY_CALLS = `from matches m join calls c on c.match_id = m.id where (m.low_id = $1 or m.high_id = $1)`;

export const HOLDINGS: Readonly<Record<string, Holding>> = {
  users: {
    erase: 'gone',
    give: give(
      'users',
      `select email_verified_at as "emailVerifiedAt", last_active_at as "lastActiveAt", status_until as "statusUntil"
       from users where id = $1`,
    ),
  },
  consents: {
    erase: 'gone',
    give: give(
      'consents',
      'select document, version, at from consents where user_id = $1 order by at, document',
    ),
  },
  photos: {
    erase: 'gone',
    give: give(
      'photos',
      `select id, key, width, height, position, created_at as "createdAt" from photos where user_id = $1 and ready`,
    ),
    files: 'photo',
  },
  pair_decisions: {
    erase: 'gone',
    // What others decided is theirs: it would tell who liked whom.
    give: give(
      'decisions',
      `select high_id as "userId", low_decision as decision, low_at as at from pair_decisions
         where low_id = $1 and low_decision is not null
       union all
       select low_id, high_decision, high_at from pair_decisions where high_id = $1 and high_decision is not null`,
    ),
  },
  blocks: {
    erase: 'gone',
    give: give(
      'blocks',
      'select blocked_id as "userId", created_at as "createdAt" from blocks where blocker_id = $1',
    ),
  },
  reports: {
    erase: {
      stays:
        'the complaint, with the facts of its call: it protects the other one. Its ids then lead to nobody. A year after it was handled it goes.',
    },
    // Those about somebody would tell who complained.
    give: give(
      'reports',
      `select id, reported_id as "userId", reason, details, call_id as "callId", created_at as "createdAt"
       from reports where reporter_id = $1 and ${isOwn('id')}`,
    ),
    sealed: ['details'],
  },
  matches: {
    erase: 'gone',
    // Not whether the other one accepted: acceptance is blind.
    give: give(
      'matches',
      `select id, case when low_id = $1 then high_id else low_id end as "peerId", status, end_reason as "endReason",
         case when low_id = $1 then low_accepted else high_accepted end as "youAccepted",
         created_at as "createdAt", accept_by as "acceptBy", ended_at as "endedAt"
       from matches where low_id = $1 or high_id = $1`,
    ),
  },
  calls: {
    erase: 'gone',
    give: give(
      'calls',
      `select c.id, c.match_id as "matchId", c.caller_id = $1 as "youCalled", c.phase, c.outcome, c.state->'media' as media,
         c.created_at as "createdAt", c.ended_at as "endedAt" ${MY_CALLS}`,
    ),
  },
  call_journal: {
    erase: 'gone',
    give: give(
      'call-journal',
      `select j.call_id as "callId", j.at, j.command from (select c.id ${MY_CALLS}) mine
       join call_journal j on j.call_id = mine.id where j.by_id = $1`,
    ),
  },
  live_calls: { erase: 'gone', give: { kept: 'the call itself is given' } },
  inboxes: {
    erase: 'gone',
    give: give('inboxes', 'select epoch, seq, acked from inboxes where user_id = $1'),
  },
  outbox: {
    erase: 'gone',
    give: give('outbox', 'select seq, type, payload, at from outbox where user_id = $1'),
  },
  sessions: {
    erase: 'gone',
    give: give(
      'sessions',
      `select id, device_id as "deviceId", device_name as "deviceName", address, created_at as "createdAt",
         last_used_at as "lastUsedAt", revoked_at as "endedAt", encode(device_key, 'base64') as "deviceKey"
       from sessions where user_id = $1 and ${isOwn('id')}`,
    ),
  },
  registrations: {
    erase: 'gone',
    // Several may wait for one address, and the others are of whoever typed them.
    give: { kept: 'until the address is verified nobody knows whose they are; then they are deleted' },
  },
  email_tokens: {
    erase: 'gone',
    give: give(
      'email-tokens',
      'select kind, created_at as "createdAt", expires_at as "expiresAt" from email_tokens where user_id = $1',
    ),
  },
  devices: {
    erase: 'gone',
    give: give('devices', 'select seen_at as "seenAt" from devices where user_id = $1'),
  },
  push_subscriptions: {
    erase: 'gone',
    give: give(
      'push',
      'select coalesce(address, endpoint) as endpoint, session_id as "sessionId", created_at as "createdAt" from push_subscriptions where user_id = $1',
    ),
    sealed: ['endpoint'],
  },
  idempotency_keys: {
    erase: 'gone',
    give: { kept: 'ids of what your requests did, for a day, should they be sent again' },
  },
  like_counts: {
    erase: 'gone',
    give: give('like-counts', 'select day, used from like_counts where user_id = $1'),
  },
  show_counts: {
    erase: 'gone',
    give: give('show-counts', 'select day, shows from show_counts where user_id = $1'),
  },
  places: {
    erase: 'gone',
    give: give('places', 'select moved_on as "movedOn", moves from places where user_id = $1'),
  },
  sightings: {
    erase: {
      stays: 'to whom this person was shown: an id that leads to nobody, gone with its month within two more',
    },
    give: give(
      'sightings',
      'select seen_id as "userId", since as "shownAt" from sightings where viewer_id = $1',
    ),
  },
  audit_log: {
    erase: {
      stays:
        'the security log, two years, unchanged: an id that leads to nobody, no address, a network of 256 neighbours',
    },
    // What admins did is between them and the one it is about; the outcome stands in the profile. A session of before
    // may still be tried, by whoever had it. That a refusal was for somebody's ban its answer did not say, and no line
    // without a reason may either.
    give: give(
      'audit',
      `select at, action, session_id as "sessionId", device, address, details from audit_log
       where user_id = $1 and (actor_id is null and action <> 'status_changed' or actor_id = $1)
         and ${isOwn('id')} and (session_id is null or ${isOwn('session_id')})
         and details->>'reason' like 'BANNED%' is not true`,
    ),
  },
  ban_tags: {
    erase: { stays: 'keyed hashes of the address and devices of who was banned, so that the ban holds' },
    give: { kept: 'who is banned cannot sign in; the hashes say nothing' },
  },
  dev_mailbox: {
    erase: { stays: 'nothing: emptied by the erasure itself; there is none in production' },
    give: { kept: 'mails that were sent already; there is none in production' },
  },
};

/** Tables that hold nothing about anybody in particular. */
export const IMPERSONAL = [
  'mikro_orm_migrations',
  'place_tallies',
  'banned_photos',
  'audit_chains',
  'data_keys',
];
