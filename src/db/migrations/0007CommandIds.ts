import { Migration } from '@mikro-orm/migrations';

/** Which command a line of the journal is of: one that comes again, also to another holder, is not done twice. */
export class Migration0007CommandIds extends Migration {
  override name = '0007CommandIds';

  override up(): void {
    this.addSql(`alter table call_journal add column command_id uuid`);
  }
}
