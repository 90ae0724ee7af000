/**
 * People's lists of matches. The first rows of each are cached for a minute and forgotten with every change of a
 * match of theirs; whom a list shows is asked anew for every answer, so a block or a ban is in force whatever is cached.
 */
import type { Database } from '../db/Database.ts';
import { sql } from '../db/sql.ts';
import type { StoredEvent } from '../events/outbox.ts';
import { HIGHEST_ID, isId } from '../ids.ts';
import type { Card } from '../people/shapes.ts';
import type { Cache } from '../platform/Cache.ts';
import { notOfThisList, type Page } from '../shapes.ts';
import { MATCH_COLUMNS, type MatchRow, matchOf } from './matchStore.ts';
import { matchViews } from './matchView.ts';
import type { MatchView } from './shapes.ts';

export interface MatchListsOptions {
  db: Database;
  cache: Cache;
  /** The cards of several people as one viewer sees them. */
  cards: (viewerId: string, userIds: readonly string[]) => Promise<Map<string, Card>>;
}

export type MatchListName = 'active' | 'history';

const LIST_MS = 60_000;
/**
 * A page of the usual size (`Page`), and one more to know whether there is another: some 8 KB. Most people have fewer
 * matches, and so every page they ask for is in it; a longer page of a longer list is read each time.
 */
const CACHED_ROWS = 21;

const listMatches = (name: string, condition: string) =>
  sql<MatchRow>(
    name,
    `select * from (
       (select ${MATCH_COLUMNS} from matches where low_id = $1 and ${condition} and id < $2 order by id desc limit $3)
       union all
       (select ${MATCH_COLUMNS} from matches where high_id = $1 and ${condition} and id < $2 order by id desc limit $3)
     ) both_sides order by id desc limit $3`,
  );
export const listActive = listMatches('match-list-active', `status = 'active'`);
const STATEMENTS = {
  active: listActive,
  history: listMatches('match-list-history', `status <> 'active'`),
};

export class MatchLists {
  readonly #options: MatchListsOptions;

  constructor(options: MatchListsOptions) {
    this.#options = options;
  }

  /** The active (or the past) matches of a person, newest first. The cursor is the last id of the page before. */
  async list(
    viewerId: string,
    which: MatchListName,
    page: Page,
  ): Promise<{ items: MatchView[]; nextCursor: string | null }> {
    const rows = await this.#rows(viewerId, which, page);
    const shown = rows.slice(0, page.limit).map(matchOf);
    const items = await matchViews(shown, viewerId, this.#options.cards);
    return { items, nextCursor: rows.length > page.limit ? shown.at(-1)!.id : null };
  }

  /** A match of these people changed: every process forgets their lists, this one at once. */
  changed(userIds: readonly string[]): void {
    const { cache } = this.#options;
    void cache.forget(kindOf('active'), userIds);
    void cache.forget(kindOf('history'), userIds);
  }

  /** The same, from what was told: every change that others make to a match comes with one of these events. */
  heed(events: readonly StoredEvent[]): void {
    const userIds = new Set<string>();
    for (const event of events) {
      if (event.type.startsWith('match:')) userIds.add(event.userId);
      // Starting a call is the caller's acceptance of the match, answering it the callee's.
      if (event.type !== 'call:incoming' && event.type !== 'call:answered') continue;
      const { call } = event.payload as { call: { callerId: string; calleeId: string } };
      userIds.add(call.callerId).add(call.calleeId);
    }
    if (userIds.size > 0) this.changed([...userIds]);
  }

  async #rows(viewerId: string, which: MatchListName, page: Page): Promise<MatchRow[]> {
    const { db, cache } = this.#options;
    const statement = STATEMENTS[which];
    const { cursor, limit } = page;
    if (cursor !== undefined && !isId(cursor)) throw notOfThisList();
    if (cursor === undefined) {
      const rows = await cache.one(kindOf(which), viewerId, LIST_MS, async () => {
        return new Map([[viewerId, await db.query(statement, [viewerId, HIGHEST_ID, CACHED_ROWS])]]);
      });
      if (rows!.length < CACHED_ROWS || limit < CACHED_ROWS) return rows!;
    }
    return db.query(statement, [viewerId, cursor ?? HIGHEST_ID, limit + 1]);
  }
}

function kindOf(which: MatchListName): string {
  return `matches-${which}`;
}
