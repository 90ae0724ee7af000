import { Migration } from '@mikro-orm/migrations';

/**
 * Who was told something just now, whatever the size of the log: rows lie in order of time, so a few bytes for every
 * 32 pages are enough. Months that are made later get theirs from the pattern that they are made after.
 */
export class Migration0014RecentEvents extends Migration {
  override name = '0014RecentEvents';

  override up(): void {
    this.addSql(
      `create index outbox_at on outbox using brin (at) with (pages_per_range = 32, autosummarize = on)`,
    );
  }
}
