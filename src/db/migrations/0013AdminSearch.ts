import { Migration } from '@mikro-orm/migrations';

/** What admins look for people by: how an address or a name begins, and who is not active. */
export class Migration0013AdminSearch extends Migration {
  override name = '0013AdminSearch';

  override up(): void {
    this.addSql(`create index users_email_begins on users (email_key text_pattern_ops)`);
    this.addSql(`create index users_name_begins on users (lower(display_name) text_pattern_ops)`);
    this.addSql(`create index users_not_active on users (status, id) where status <> 'active'`);
    this.addSql(`create index audit_log_actor on audit_log (actor_id, id) where actor_id is not null`);
  }
}
