import { Migration } from '@mikro-orm/migrations';

/** Answers to requests that carried an Idempotency-Key, for a day. */
export class Migration0004Idempotency extends Migration {
  override name = '0004Idempotency';

  override up(): void {
    this.addSql(`
      create table idempotency_keys (
        user_id uuid not null references users (id) on delete cascade,
        key text not null,
        fingerprint bytea not null,
        status smallint,
        body jsonb,
        created_at timestamptz not null default clock_timestamp(),
        primary key (user_id, key)
      )`);
    this.addSql(`create index idempotency_keys_age on idempotency_keys (created_at)`);
  }
}
