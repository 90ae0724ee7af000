import { Migration } from '@mikro-orm/migrations';

/**
 * A push subscription belongs to the sign-in that made it: a device that was signed out is told nothing any more. Nobody
 * knows the sign-ins of those from before; their devices subscribe again. Null is what a process of the release before
 * writes while both run; it is not pushed to.
 */
export class Migration0016PushSessions extends Migration {
  override name = '0016PushSessions';

  override up(): void {
    this.addSql(`delete from push_subscriptions`);
    this.addSql(
      `alter table push_subscriptions add column session_id uuid references sessions (id) on delete cascade`,
    );
    this.addSql(`create index push_subscriptions_session on push_subscriptions (session_id)`);
  }
}
