import { Migration } from '@mikro-orm/migrations';

/**
 * Lists blocks that are in force and were listed nowhere, so that nobody could take them back: an earlier release left such
 * ones where an account was taken over by the owner of its address while it blocked somebody. Since when nobody knows any
 * more; in whole milliseconds, as cursors of the list have it.
 */
export class Migration0025ListedBlocks extends Migration {
  override name = '0025ListedBlocks';

  override up(): void {
    this.addSql(`
      insert into blocks (blocker_id, blocked_id, created_at)
      select a.id, b.id, date_trunc('milliseconds', now())
      from (select low_id as blocker_id, high_id as blocked_id from pair_decisions where low_blocked
            union all
            select high_id, low_id from pair_decisions where high_blocked) f
      join users a on a.id = f.blocker_id join users b on b.id = f.blocked_id
      where not exists (select from blocks l where l.blocker_id = a.id and l.blocked_id = b.id)
      for key share of a, b
      on conflict do nothing`);
  }
}
