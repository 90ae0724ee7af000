import { Migration } from '@mikro-orm/migrations';

/**
 * When somebody was shown, and not only when the browsing began: its beginning comes with a cursor, which anybody can
 * make up. Who was shown before this counts as shown now: nobody is charged a second time for a day.
 *
 * And an index by the two people: what is asked about a pair costs the same however much the viewer has seen.
 */
export class Migration0024Sightings extends Migration {
  override name = '0024Sightings';

  override up(): void {
    this.addSql(`alter table sightings add column at timestamptz not null default now()`);
    // The pair as one key: see src/people/sightings.ts.
    this.addSql(
      `create index sightings_pair on sightings ((uuid_send(viewer_id) || uuid_send(seen_id)), at)`,
    );
  }
}
