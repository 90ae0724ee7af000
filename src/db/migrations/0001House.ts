import { Migration } from '@mikro-orm/migrations';

/**
 * The model of the first day: people, photos, decisions, matches, calls with their journal, the outbox.
 *
 * Actors (matches, calls) carry from the start: `version` (of the row), `owner`, `epoch` and `leased_until` (the
 * lease with its fencing epoch: every write of an actor says `where epoch = mine`) and `due_at` (the next deadline,
 * for the sweeper).
 */
export class Migration0001House extends Migration {
  override name = '0001House';

  override up(): void {
    this.addSql(`create extension if not exists pgcrypto`);

    this.addSql(`
      create table users (
        id uuid primary key,
        email text not null,
        email_key text not null unique,
        email_verified_at timestamptz,
        password_hash text not null,
        role text not null default 'user' check (role in ('user', 'admin')),
        tier text not null default 'regular' check (tier in ('regular', 'premium')),
        status text not null default 'active' check (status in ('active', 'suspended', 'banned', 'deleted')),
        display_name text not null,
        birth_date date not null,
        gender text not null check (gender in ('woman', 'man', 'nonbinary')),
        bio text not null default '',
        interests text[] not null default '{}',
        cell text,
        area text,
        min_age smallint not null default 18,
        max_age smallint not null default 99,
        genders text[] not null default '{woman,man,nonbinary}',
        max_distance_km smallint not null default 50,
        discoverable boolean not null default true,
        score integer not null default 0,
        last_active_at timestamptz not null default now(),
        created_at timestamptz not null default now(),
        version integer not null default 1
      )`);
    this.addSql(
      `create index users_discovery on users (gender, area, score desc, id) where status = 'active' and discoverable and email_verified_at is not null`,
    );

    this.addSql(`
      create table photos (
        id uuid primary key,
        user_id uuid not null references users (id) on delete cascade,
        key text not null unique,
        width integer not null,
        height integer not null,
        position smallint not null,
        placeholder text not null default '',
        created_at timestamptz not null default now(),
        unique (user_id, position) deferrable initially deferred
      )`);

    this.addSql(`
      create table pair_decisions (
        low_id uuid not null references users (id) on delete cascade,
        high_id uuid not null references users (id) on delete cascade,
        low_decision text check (low_decision in ('like', 'dislike')),
        low_at timestamptz,
        high_decision text check (high_decision in ('like', 'dislike')),
        high_at timestamptz,
        primary key (low_id, high_id),
        check (low_id < high_id)
      )`);
    this.addSql(`create index pair_decisions_high on pair_decisions (high_id, low_id)`);

    this.addSql(`
      create table blocks (
        blocker_id uuid not null references users (id) on delete cascade,
        blocked_id uuid not null references users (id) on delete cascade,
        created_at timestamptz not null default now(),
        primary key (blocker_id, blocked_id),
        check (blocker_id <> blocked_id)
      )`);
    this.addSql(`create index blocks_blocked on blocks (blocked_id, blocker_id)`);

    this.addSql(`
      create table reports (
        id uuid primary key,
        reporter_id uuid not null references users (id) on delete cascade,
        reported_id uuid not null references users (id) on delete cascade,
        reason text not null,
        details text not null default '',
        call_id uuid,
        status text not null default 'open' check (status in ('open', 'reviewing', 'resolved', 'dismissed')),
        resolution text,
        created_at timestamptz not null default now()
      )`);

    this.addSql(`
      create table matches (
        id uuid primary key,
        low_id uuid not null references users (id) on delete cascade,
        high_id uuid not null references users (id) on delete cascade,
        status text not null check (status in ('active', 'rejected', 'expired', 'ended')),
        phase text not null check (phase in ('awaiting_accept', 'ready', 'closed')),
        low_accepted boolean not null default false,
        high_accepted boolean not null default false,
        warned boolean not null default false,
        created_at timestamptz not null,
        accept_by timestamptz not null,
        ended_at timestamptz,
        end_reason text,
        version integer not null default 1,
        owner text,
        epoch bigint not null default 0,
        leased_until timestamptz,
        due_at timestamptz,
        check (low_id < high_id)
      )`);
    this.addSql(
      `create unique index matches_one_active on matches (low_id, high_id) where status = 'active'`,
    );
    this.addSql(`create index matches_low on matches (low_id, created_at desc, id)`);
    this.addSql(`create index matches_high on matches (high_id, created_at desc, id)`);
    this.addSql(`create index matches_due on matches (due_at) where due_at is not null`);

    this.addSql(`
      create table calls (
        id uuid primary key,
        match_id uuid not null references matches (id) on delete cascade,
        caller_id uuid not null references users (id) on delete cascade,
        callee_id uuid not null references users (id) on delete cascade,
        phase text not null check (phase in ('ringing', 'connecting', 'active', 'ended')),
        state jsonb not null,
        outcome text,
        created_at timestamptz not null,
        ended_at timestamptz,
        version integer not null default 1,
        owner text,
        epoch bigint not null default 0,
        leased_until timestamptz,
        due_at timestamptz
      )`);
    this.addSql(`create unique index calls_one_live on calls (match_id) where phase <> 'ended'`);
    this.addSql(`create index calls_due on calls (due_at) where due_at is not null`);
    this.addSql(`create index calls_match on calls (match_id, created_at desc)`);

    // Who is in a call: the primary key is the rule that nobody is in two.
    this.addSql(`
      create table live_calls (
        user_id uuid primary key references users (id) on delete cascade,
        call_id uuid not null references calls (id) on delete cascade
      )`);

    this.addSql(`
      create table call_journal (
        call_id uuid not null references calls (id) on delete cascade,
        version integer not null,
        at timestamptz not null,
        epoch bigint not null,
        command text not null,
        by_id uuid,
        phase text not null,
        state jsonb not null,
        primary key (call_id, version)
      )`);

    this.addSql(`
      create table inboxes (
        user_id uuid primary key references users (id) on delete cascade,
        epoch bigint not null default 1,
        seq bigint not null default 0,
        acked bigint not null default 0
      )`);
    this.addSql(`
      create table outbox (
        user_id uuid not null references users (id) on delete cascade,
        seq bigint not null,
        epoch bigint not null,
        type text not null,
        payload jsonb not null,
        at timestamptz not null default clock_timestamp(),
        primary key (user_id, seq)
      )`);
  }
}
