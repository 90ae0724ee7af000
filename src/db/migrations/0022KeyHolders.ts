import { Migration } from '@mikro-orm/migrations';

/** Which process works on a request that has a key: when it is gone, the next one need not wait. Null: not known. */
export class Migration0022KeyHolders extends Migration {
  override name = '0022KeyHolders';

  override up(): void {
    this.addSql(`alter table idempotency_keys add column holder text`);
  }
}
