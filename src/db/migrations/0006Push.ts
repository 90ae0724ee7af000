import { Migration } from '@mikro-orm/migrations';

/** Where a person's devices are reached while no socket of theirs is open (RFC 8030). */
export class Migration0006Push extends Migration {
  override name = '0006Push';

  override up(): void {
    this.addSql(`
      create table push_subscriptions (
        endpoint text primary key,
        user_id uuid not null references users (id) on delete cascade,
        p256dh text not null,
        auth text not null,
        created_at timestamptz not null default clock_timestamp()
      )`);
    this.addSql(`create index push_subscriptions_user on push_subscriptions (user_id)`);
  }
}
