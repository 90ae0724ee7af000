import { Migration } from '@mikro-orm/migrations';

/**
 * Sealed at rest: addresses of people, of their devices, and what they complain about. Texts from before are sealed by
 * and by (`src/accounts/Sealing.ts`), which finds them by the indexes here: they have rows while there are any.
 */
export class Migration0019DataKeys extends Migration {
  override name = '0019DataKeys';

  override up(): void {
    // The secrets that seal and tag, themselves sealed under DATA_KEY (`src/platform/DataKeys.ts`).
    this.addSql(`
      create table data_keys (
        name text primary key check (name in ('seals', 'tags')),
        wrapped bytea not null,
        wrapped_at timestamptz not null default now()
      )`);
    // The address of a device, sealed; what it is found by is in "endpoint" then.
    this.addSql(`alter table push_subscriptions add column address text`);
    // How an address begins cannot be seen any more.
    this.addSql(`drop index users_email_begins`);
    this.addSql(`
      create index users_email_plain on users (id)
        where email not like 's1:%' and email_key not like '%@demo.duet'`);
    this.addSql(`create index registrations_email_plain on registrations (id) where email not like 's1:%'`);
    this.addSql(
      `create index reports_details_plain on reports (id) where details not like 's1:%' and details <> ''`,
    );
    this.addSql(
      `create index push_subscriptions_plain on push_subscriptions (endpoint) where address is null`,
    );
  }
}
