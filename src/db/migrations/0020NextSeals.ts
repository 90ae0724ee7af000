import { Migration } from '@mikro-orm/migrations';

/** The secret that texts are being sealed with anew, until all of them are (`src/resealData.ts`). */
export class Migration0020NextSeals extends Migration {
  override name = '0020NextSeals';

  override up(): void {
    this.addSql(`
      alter table data_keys
        drop constraint data_keys_name_check,
        add constraint data_keys_name_check check (name in ('seals', 'tags', 'next'))`);
  }
}
