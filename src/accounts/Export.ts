import { z } from 'zod';
import { type Clock, isoTime } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { sql } from '../db/sql.ts';
import { DuetError } from '../errors.ts';
import { Me } from '../people/shapes.ts';
import type { DataKeys, StoredText } from '../platform/DataKeys.ts';
import { Time } from '../shapes.ts';
import type { Principal } from './AccessTokens.ts';
import type { Audit } from './Audit.ts';
import type { Client } from './client.ts';
import { HOLDINGS } from './holdings.ts';

export interface ExportOptions {
  db: Database;
  clock: Clock;
  audit: Audit;
  keys: DataKeys;
  /** A user as seen by that user. */
  me: (userId: string) => Promise<Me>;
  /** The address of the largest picture that is held of a photo, for its owner and a while. */
  photoUrl: (userId: string, key: string) => string;
}

export const Exported = z
  .strictObject({
    exportedAt: Time,
    profile: Me,
    held: z.record(z.string(), z.array(z.record(z.string(), z.unknown()))).meta({
      description: 'What each table holds, by its name; `docs/security.md` says what is left out, and why',
    }),
  })
  .meta({ id: 'Export' });
export type Exported = z.infer<typeof Exported>;

/** How long after signing in with the password everything is given out. */
const EXPORT_WITHIN_MS = 15 * 60_000;

const signedInAt = sql<{ created_at: number }>(
  'export-signed-in-at',
  'select created_at from sessions where id = $1 and user_id = $2 and revoked_at is null',
);

/**
 * Everything that is held on a person, put together when it is asked for and kept nowhere: there is no file that could
 * be found and no link that could be passed on, but to the photos, for an hour or two.
 */
export class Export {
  readonly #o: ExportOptions;

  constructor(options: ExportOptions) {
    this.#o = options;
  }

  /**
   * The principal's own data. FORBIDDEN unless this session began with the password within the last 15 minutes: a phone
   * left on a table, or a stolen token that was refreshed, does not give everything away.
   */
  async give(principal: Principal, client: Client): Promise<Exported> {
    const { db, clock, audit, keys, me, photoUrl } = this.#o;
    const { userId, sessionId } = principal;
    const [session] = await db.query(signedInAt, [sessionId, userId]);
    if (session === undefined) throw new DuetError('UNAUTHORIZED');
    if (session.created_at < clock.now() - EXPORT_WITHIN_MS) {
      const details = { reason: 'SESSION_TOO_OLD' };
      await audit.record(db, { action: 'account_export_refused', userId, sessionId, client, details });
      throw new DuetError('FORBIDDEN', {
        details: [{ path: 'session', message: 'is older than 15 minutes: sign in again' }],
      });
    }
    const held: Exported['held'] = {};
    for (const [table, { give, files, sealed = [] }] of Object.entries(HOLDINGS)) {
      if ('kept' in give) continue;
      const items = (await db.query(give, [userId])).map(({ item }) => opened(item, sealed, keys));
      held[table] =
        files === undefined
          ? items
          : items.map(({ key, ...item }) => ({ ...item, full: photoUrl(userId, String(key)) }));
    }
    await audit.record(db, { action: 'account_exported', userId, sessionId, client });
    return { exportedAt: isoTime(clock.now())!, profile: await me(userId), held };
  }
}

/** A row of the database with its sealed texts in words. */
function opened(
  item: Record<string, unknown>,
  sealed: readonly string[],
  keys: DataKeys,
): Record<string, unknown> {
  const words = sealed.map((name) => [name, keys.open(item[name] as StoredText)]);
  return { ...item, ...Object.fromEntries(words) };
}
