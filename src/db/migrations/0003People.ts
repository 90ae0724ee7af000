import { Migration } from '@mikro-orm/migrations';

/**
 * People at a million: what discovery reads, decisions in partitions, places that keep their people's secret,
 * photos that are ready only when all of their files are stored.
 */
export class Migration0003People extends Migration {
  override name = '0003People';

  override up(): void {
    this.#discovery();
    this.#decisions();
    this.#places();
    this.#photos();
    this.#sightings();
    this.addSql(`create index reports_reported on reports (reported_id, created_at desc)`);
    this.addSql(`create index reports_status on reports (status, created_at desc)`);
    this.addSql(`create index reports_reporter on reports (reporter_id)`);
  }

  #discovery(): void {
    this.addSql(`drop index users_discovery`);
    // area, x, y, z and slack_km are the place as others may compute with it: of the stored cell's centre, and
    // empty for who has no location or hides the distance. seeks is genders as bits, small enough for the index.
    this.addSql(`
      alter table users
        drop column area,
        add column area bigint not null default 0,
        add column x real, add column y real, add column z real,
        add column slack_km real not null default 0,
        add column hide_distance boolean not null default false,
        add column photo_count smallint not null default 0,
        add column rested_on date not null default '2000-01-01',
        add column seeks smallint not null generated always as (
          case when 'woman' = any (genders) then 1 else 0 end +
          case when 'man' = any (genders) then 2 else 0 end +
          case when 'nonbinary' = any (genders) then 4 else 0 end) stored`);
    // Best first inside every area, and every filter inside the index: a page is read without touching the table.
    for (const [name, prefix] of [
      ['users_discovery', 'gender, area, score desc, id'],
      ['users_discovery_anywhere', 'gender, score desc, id'],
    ]) {
      this.addSql(`
        create index ${name} on users (${prefix})
          include (birth_date, min_age, max_age, seeks, max_distance_km, x, y, z, slack_km, rested_on)
          where status = 'active' and discoverable and email_verified_at is not null`);
    }
    this.addSql(`create index users_cell on users (cell) where cell is not null`);
    // Index-only scans need all-visible pages: vacuum a busy table after 2 % of it changed instead of after 20 %.
    // Room in each page lets "was here just now" update in place, without touching any index.
    this.addSql(`
      alter table users set (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02,
        autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02)`);
  }

  #decisions(): void {
    this.addSql(`drop table pair_decisions`);
    // One row a pair, for decisions and blocks alike: whatever two people do to each other at the same moment
    // meets in one row lock. No foreign keys: every write joins users anyway, and checking them again would cost
    // more than the write; the trigger below is their "on delete cascade".
    this.addSql(`
      create table pair_decisions (
        low_id uuid not null,
        high_id uuid not null,
        low_decision text check (low_decision in ('like', 'dislike')),
        low_at timestamptz,
        high_decision text check (high_decision in ('like', 'dislike')),
        high_at timestamptz,
        low_blocked boolean not null default false,
        high_blocked boolean not null default false,
        matched boolean not null default false,
        primary key (low_id, high_id) include (low_decision, low_at, low_blocked, high_blocked, matched),
        check (low_id < high_id)
      ) partition by hash (low_id)`);
    for (let part = 0; part < DECISION_PARTITIONS; part++) {
      // Insert-mostly: without this, vacuum would mark the pages all-visible only after a fifth more rows.
      this.addSql(`
        create table pair_decisions_${part} partition of pair_decisions
          for values with (modulus ${DECISION_PARTITIONS}, remainder ${part})
          with (fillfactor = 90, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_scale_factor = 0.05)`);
    }
    this.addSql(`
      create index pair_decisions_high on pair_decisions (high_id, low_id)
        include (high_decision, high_at, low_blocked, high_blocked, matched)`);
    this.addSql(`
      create function forget_decisions() returns trigger language plpgsql as $$
      begin
        delete from pair_decisions where low_id = old.id;
        delete from pair_decisions where high_id = old.id;
        return old;
      end $$`);
    this.addSql(
      `create trigger users_forget_decisions after delete on users for each row execute function forget_decisions()`,
    );
    this.addSql(`
      create table like_counts (
        user_id uuid primary key references users (id) on delete cascade,
        day date not null,
        used integer not null
      ) with (fillfactor = 70)`);
  }

  #places(): void {
    // How many people live in each cell, under a keyed hash of the cell: the table says nothing without the key.
    this.addSql(
      `create table place_tallies (tag bytea primary key, people integer not null) with (fillfactor = 80)`,
    );
    this.addSql(`
      create table places (
        user_id uuid primary key references users (id) on delete cascade,
        tags bytea[] not null default '{}',
        moved_on date not null default '2000-01-01',
        moves smallint not null default 0
      )`);
  }

  #photos(): void {
    this.addSql(`
      alter table photos
        add column ready boolean not null default true,
        add column phash bit(64)`);
    this.addSql(`create index photos_pending on photos (created_at) where not ready`);
    this.addSql(`
      create table banned_photos (
        phash bit(64) primary key,
        created_at timestamptz not null default now()
      )`);
  }

  #sightings(): void {
    // Whom discovery has shown to whom, by month: a card may be looked at again, a page never repeats.
    this.addSql(`
      create table sightings (
        month date not null,
        viewer_id uuid not null,
        since timestamptz not null,
        seen_id uuid not null,
        page integer not null,
        nth smallint not null,
        primary key (month, viewer_id, since, seen_id)
      ) partition by range (month)`);
    this.addSql(`
      create function ensure_month_partition(parent text, of_day date) returns void language plpgsql as $$
      declare
        first_day date := date_trunc('month', of_day);
        part text := parent || '_' || to_char(first_day, 'YYYY_MM');
      begin
        if to_regclass(part) is null then
          execute format('create table if not exists %I partition of %I for values from (%L) to (%L)',
            part, parent, first_day, (first_day + interval '1 month')::date);
        end if;
      end $$`);
    this.addSql(`
      create function forget_sightings() returns trigger language plpgsql as $$
      begin
        delete from sightings where viewer_id = old.id;
        delete from show_counts where user_id = old.id;
        return old;
      end $$`);
    this.addSql(
      `create trigger users_forget_sightings after delete on users for each row execute function forget_sightings()`,
    );
    this.addSql(
      `select ensure_month_partition('sightings', (now() + n * interval '1 month')::date) from generate_series(0, 2) n`,
    );
    this.addSql(
      `create table show_counts (user_id uuid primary key, day date not null, shows integer not null) with (fillfactor = 70)`,
    );
  }
}

const DECISION_PARTITIONS = 8;
