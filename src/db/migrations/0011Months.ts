import { Migration } from '@mikro-orm/migrations';

/**
 * Events and the journal of calls by month, so that what is kept no longer goes a table at a time and leaves no dead
 * rows behind. And what autovacuum has to know about the tables that are written all the time.
 */
export class Migration0011Months extends Migration {
  override name = '0011Months';

  override up(): void {
    this.#ensureMonth();
    // No foreign key: the number of an event comes from the person's row in `inboxes`, in the same statement, and
    // that row has one. Nor has the journal: its lines are written with the row of their call.
    this.#byMonth(
      'outbox',
      `user_id uuid not null,
       seq bigint not null,
       epoch bigint not null,
       type text not null,
       payload jsonb not null,
       at timestamptz not null default clock_timestamp()`,
      'user_id, seq',
    );
    this.#byMonth(
      'call_journal',
      `call_id uuid not null,
       version integer not null,
       at timestamptz not null,
       epoch bigint not null,
       command text not null,
       by_id uuid,
       phase text not null,
       state jsonb not null,
       command_id uuid`,
      'call_id, version',
    );
    this.#goesWith('users', 'outbox', 'user_id');
    this.#goesWith('calls', 'call_journal', 'call_id');
    this.#autovacuum();
  }

  /**
   * A table whose partitions each have the key for themselves. The key of the whole would have to hold the time and
   * would then refuse nothing; that a number is not given twice across months is the doing of the counter it is taken
   * from (`inboxes.seq`, `calls.version`), a row that every writer locks.
   */
  #byMonth(table: string, columns: string, key: string): void {
    this.addSql(`alter table ${table} rename to ${table}_before`);
    this.addSql(`alter table ${table}_before rename constraint ${table}_pkey to ${table}_before_pkey`);
    this.addSql(`create table ${table} (${columns}) partition by range (at)`);
    // Takes what no month takes, and is the pattern that months are made after. It stays empty as long as some process
    // makes months ahead of time.
    this.addSql(
      `create table ${table}_default partition of ${table} (constraint ${table}_default_pkey primary key (${key})) default`,
    );
    this.addSql(`
      do $$ begin
        perform ensure_month('${table}', month) from (
          select distinct date_trunc('month', at at time zone 'UTC')::date as month from ${table}_before
          union select (date_trunc('month', now() at time zone 'UTC') + n * interval '1 month')::date
            from generate_series(0, 2) n) months;
      end $$`);
    this.addSql(`insert into ${table} select * from ${table}_before`);
    this.addSql(`drop table ${table}_before`);
  }

  #ensureMonth(): void {
    // Made beside the parent and then attached: that locks out nobody who reads or writes, but for the moment that it
    // takes to see that the default partition holds nothing of the month. What it does hold moves.
    this.addSql(`
      create function ensure_month(parent text, of_day date) returns void language plpgsql as $$
      declare
        first_day date := date_trunc('month', of_day::timestamp);
        part text := parent || '_' || to_char(first_day, 'YYYY_MM');
        starts text := first_day || ' 00:00:00+00';
        ends text := (first_day + interval '1 month')::date || ' 00:00:00+00';
      begin
        perform pg_advisory_xact_lock(hashtext('ensure_month ' || parent));
        if to_regclass(part) is not null then return; end if;
        execute format('create table %I (like %I including all)', part, parent || '_default');
        execute format('with moved as (delete from %I where at >= %L and at < %L returning *) insert into %I select * from moved',
          parent || '_default', starts, ends, part);
        execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, part, starts, ends);
      end $$`);
  }

  #goesWith(parent: string, table: string, column: string): void {
    this.addSql(`
      create function forget_${table}() returns trigger language plpgsql as $$
      begin
        delete from ${table} where ${column} = old.id;
        return old;
      end $$`);
    this.addSql(
      `create trigger ${parent}_forget_${table} after delete on ${parent} for each row execute function forget_${table}()`,
    );
  }

  #autovacuum(): void {
    // A counter that each event moves and each acknowledgement writes: room in the page keeps those updates in place,
    // and vacuum comes before a fifth of the table is dead.
    this.addSql(
      `alter table inboxes set (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05)`,
    );
    // The lease of a live call is renewed twice a second, in place where the page has room. Live calls are few among
    // the ended ones: a share of the table would be reached far too late, so a number of rows it is.
    this.addSql(
      `alter table calls set (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)`,
    );
    // One row a person in a call, made and deleted again: always small, always in flux.
    this.addSql(
      `alter table live_calls set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500)`,
    );
    // Each match is written some four times in its first day and never again.
    this.addSql(`alter table matches set (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05)`);
    // One update a like, in place; and a day's answers, all of which are deleted a day later.
    this.addSql(`alter table like_counts set (autovacuum_vacuum_scale_factor = 0.05)`);
    this.addSql(`alter table show_counts set (autovacuum_vacuum_scale_factor = 0.05)`);
    this.addSql(`alter table idempotency_keys set (autovacuum_vacuum_scale_factor = 0.05)`);
  }
}
