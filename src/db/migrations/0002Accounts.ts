import { Migration } from '@mikro-orm/migrations';

/**
 * Accounts: sessions, registrations that wait for the address to be verified, one-time tokens of mails, known
 * devices, the security log, and the mailbox of development. Tokens are here as hashes only.
 */
export class Migration0002Accounts extends Migration {
  override name = '0002Accounts';

  override up(): void {
    // One row is one sign-in: a family of refresh tokens, of which only the newest is good.
    this.addSql(`
      create table sessions (
        id uuid primary key,
        user_id uuid not null references users (id) on delete cascade,
        token_hash bytea not null,
        previous_hash bytea,
        rotated_at timestamptz,
        rotations integer not null default 0,
        device_id uuid not null,
        device_name text not null,
        address text not null,
        created_at timestamptz not null,
        last_used_at timestamptz not null,
        expires_at timestamptz not null,
        revoked_at timestamptz,
        revoked_for text
      )`);
    this.addSql(`create index sessions_live on sessions (user_id, created_at) where revoked_at is null`);
    this.addSql(`create index sessions_revoked on sessions (revoked_at) where revoked_at is not null`);
    this.addSql(`create index sessions_expiry on sessions (expires_at)`);

    // Whoever registers an address, as often as it happens before it is verified: the one whose link is followed
    // gets the account. "first" made the row in users, with its password in force.
    this.addSql(`
      create table registrations (
        id uuid primary key,
        user_id uuid not null references users (id) on delete cascade,
        first boolean not null,
        email text not null,
        password_hash text not null,
        display_name text not null,
        birth_date date not null,
        gender text not null,
        created_at timestamptz not null
      )`);
    this.addSql(`create index registrations_user on registrations (user_id, created_at)`);

    this.addSql(`
      create table email_tokens (
        hash bytea primary key,
        kind text not null check (kind in ('verify', 'reset')),
        user_id uuid not null references users (id) on delete cascade,
        registration_id uuid references registrations (id) on delete cascade,
        created_at timestamptz not null,
        expires_at timestamptz not null
      )`);
    this.addSql(`create index email_tokens_user on email_tokens (user_id, kind)`);
    this.addSql(`create index email_tokens_registration on email_tokens (registration_id)`);

    this.addSql(`
      create table devices (
        user_id uuid not null references users (id) on delete cascade,
        fingerprint bytea not null,
        seen_at timestamptz not null,
        primary key (user_id, fingerprint)
      )`);
    this.addSql(`create index devices_seen on devices (seen_at)`);

    // No foreign key: what was done stays readable when the account is gone.
    this.addSql(`
      create table audit_log (
        id uuid primary key,
        at timestamptz not null,
        action text not null,
        user_id uuid,
        actor_id uuid,
        session_id uuid,
        subject text,
        device text,
        address text,
        details jsonb not null default '{}'
      )`);
    this.addSql(`create index audit_log_user on audit_log (user_id, at desc)`);
    this.addSql(`create index audit_log_at on audit_log (at desc)`);

    this.addSql(`
      create table dev_mailbox (
        id uuid primary key,
        recipient bytea not null,
        sealed bytea not null,
        at timestamptz not null
      )`);
    this.addSql(`create index dev_mailbox_recipient on dev_mailbox (recipient, at desc)`);
  }
}
