import { sql } from '../db/sql.ts';

/** The SQL of sessions. Times are bound as the caller's clock says, so that a test can move it. */

/** However often it is refreshed, a sign-in ends after this. */
const LONGEST = `interval '90 days'`;

export interface LiveSessionRow {
  id: string;
  device_id: string;
  device_name: string;
  address: string;
  created_at: number;
  last_used_at: number;
  expires_at: number;
}

export const insertSession = sql(
  'session-insert',
  `insert into sessions (id, user_id, token_hash, device_id, device_name, address, created_at, last_used_at, expires_at)
   values ($1, $2, $3, $4, $5, $6, $7, $7, $8)`,
);

/**
 * The parent's hash becomes the child's, once: of many at the same time, one finds its parent still there. With its
 * line in the security log in one statement, since this is what every client does every quarter of an hour.
 */
export const rotateSession = sql<{
  user_id: string;
  role: 'user' | 'admin';
  device_id: string;
  expires_at: number;
}>(
  'session-rotate',
  `with rotated as (
     update sessions s
     set previous_hash = s.token_hash, token_hash = $3, rotated_at = $4, rotations = rotations + 1,
         last_used_at = $4, address = $6, expires_at = least($5, s.created_at + ${LONGEST})
     from users u
     where s.id = $1 and s.token_hash = $2 and s.revoked_at is null and s.expires_at > $4
       and u.id = s.user_id and u.status = 'active'
     returning s.user_id, u.role, s.device_id, s.expires_at
   ), logged as (
     insert into audit_log (id, at, action, user_id, session_id, device, address)
     select $7, $4, 'session_refreshed', user_id, $1, $8, $6 from rotated
   )
   select user_id, role, device_id, expires_at from rotated`,
);

export interface SessionRow {
  user_id: string;
  role: 'user' | 'admin';
  status: string;
  device_id: string;
  device_name: string;
  token_hash: Buffer;
  previous_hash: Buffer | null;
  rotated_at: number | null;
  expires_at: number;
  revoked_at: number | null;
}

export const readSession = sql<SessionRow>(
  'session-read',
  `select s.user_id, u.role, u.status, s.device_id, s.device_name, s.token_hash, s.previous_hash, s.rotated_at,
          s.expires_at, s.revoked_at
   from sessions s join users u on u.id = s.user_id where s.id = $1`,
);

/**
 * Gives a live session a token without a parent: what was issued before is reuse from now on. The token of before is so
 * after the grace only, for a refresh may be on its way; until then it is refused, and its child is not this token.
 */
export const renewSession = sql<{ device_id: string; expires_at: number }>(
  'session-renew',
  `update sessions set previous_hash = token_hash, token_hash = $3, rotated_at = $4, last_used_at = $4,
     expires_at = least($5, created_at + ${LONGEST})
   where id = $1 and user_id = $2 and revoked_at is null and expires_at > $4 returning device_id, expires_at`,
);

export const revokeOne = sql<{ id: string }>(
  'session-revoke-one',
  `update sessions set revoked_at = $3, revoked_for = $4
   where id = $1 and user_id = $2 and revoked_at is null and expires_at > $3 returning id`,
);

export const revokeAll = sql<{ id: string }>(
  'session-revoke-all',
  `update sessions set revoked_at = $2, revoked_for = $3
   where user_id = $1 and revoked_at is null and id is distinct from $4::uuid returning id`,
);

/** The oldest beyond the newest `$4`. */
export const revokeBeyond = sql<{ id: string }>(
  'session-revoke-beyond',
  `update sessions set revoked_at = $2, revoked_for = $3
   where id in (
     select id from sessions where user_id = $1 and revoked_at is null and expires_at > $2
     order by created_at desc, id desc offset $4)
   returning id`,
);

export const listLive = sql<LiveSessionRow>(
  'session-list',
  `select id, device_id, device_name, address, created_at, last_used_at, expires_at from sessions
   where user_id = $1 and revoked_at is null and expires_at > $2 order by last_used_at desc, id`,
);

/** Long after its end a session says nothing any more. */
export const deleteOld = sql(
  'session-delete-old',
  'delete from sessions where expires_at < $1 or revoked_at < $1',
);
