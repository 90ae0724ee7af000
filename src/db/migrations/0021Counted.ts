import { Migration } from '@mikro-orm/migrations';

/** Who hides the distance or is not active is not counted among those who share a cell. Until now everybody was. */
export class Migration0021Counted extends Migration {
  override name = '0021Counted';

  override up(): void {
    this.addSql(`alter table places add column counted boolean not null default true`);
    this.addSql(`
      create or replace function forget_place() returns trigger language plpgsql as $$
      begin
        if old.counted then
          update place_tallies set people = people - 1 where tag = any (old.tags);
          delete from place_tallies where tag = any (old.tags) and people <= 0;
        end if;
        return old;
      end $$`);
  }
}
