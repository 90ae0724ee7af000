import { Migration } from '@mikro-orm/migrations';

/**
 * What becomes of accounts: suspensions that end by themselves, erasure after a grace period, bans that know whom
 * they banned. Each is a moment on the row, for the sweeper (`src/accounts/AccountDeadlines.ts`).
 */
export class Migration0012AccountLife extends Migration {
  override name = '0012AccountLife';

  override up(): void {
    this.addSql(`
      alter table users
        add column status_reason text,
        add column status_until timestamptz,
        add column erase_at timestamptz,
        add column settle_at timestamptz`);
    this.addSql(`create index users_status_until on users (status_until) where status_until is not null`);
    this.addSql(`create index users_erase_at on users (erase_at) where erase_at is not null`);
    this.addSql(`create index users_settle_at on users (settle_at) where settle_at is not null`);
    this.addSql(`create index users_role on users (role, id) where role = 'admin'`);

    // Reports outlive both accounts: who was harassed must not lose the complaint when one of the two leaves. The ids
    // then lead to nobody; what the call was is copied out of it before it goes.
    this.addSql(`
      alter table reports
        drop constraint reports_reporter_id_fkey,
        drop constraint reports_reported_id_fkey,
        add column call_facts jsonb,
        add column handled_by uuid,
        add column handled_at timestamptz`);

    // Who is erased is looked for in every table that refers to people. A call's people are its match's, with which it
    // goes; sessions had no index but of the live ones.
    this.addSql(`
      alter table calls drop constraint calls_caller_id_fkey, drop constraint calls_callee_id_fkey`);
    this.addSql(`create index sessions_user on sessions (user_id)`);

    // Keyed hashes of what a banned person could come back with. No foreign key: they outlive the account.
    this.addSql(`
      create table ban_tags (
        tag bytea not null,
        user_id uuid not null,
        kind text not null check (kind in ('email', 'device')),
        created_at timestamptz not null default now(),
        primary key (tag, user_id)
      )`);
    this.addSql(`create index ban_tags_user on ban_tags (user_id)`);
  }
}
