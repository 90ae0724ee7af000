import { Migration } from '@mikro-orm/migrations';

/** What an admin looks for in the security log is mostly rare: all bans, of a log of sign-ins. */
export class Migration0027AuditAction extends Migration {
  override name = '0027AuditAction';

  override up(): void {
    this.addSql('create index audit_log_action on audit_log (action, id)');
  }
}
