import { Migration } from '@mikro-orm/migrations';

/** Who is erased no longer counts among those who share a cell. */
export class Migration0009Tallies extends Migration {
  override name = '0009Tallies';

  override up(): void {
    this.addSql(`
      create function forget_place() returns trigger language plpgsql as $$
      begin
        update place_tallies set people = people - 1 where tag = any (old.tags);
        delete from place_tallies where tag = any (old.tags) and people <= 0;
        return old;
      end $$`);
    this.addSql(
      `create trigger places_forget after delete on places for each row execute function forget_place()`,
    );
  }
}
