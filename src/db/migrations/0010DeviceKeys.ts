import { Migration } from '@mikro-orm/migrations';

/** The public key that a device signs its keys for end-to-end encryption with; registered after signing in. */
export class Migration0010DeviceKeys extends Migration {
  override name = '0010DeviceKeys';

  override up(): void {
    this.addSql(`alter table sessions add column device_key bytea check (octet_length(device_key) = 32)`);
  }
}
