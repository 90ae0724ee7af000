import { Migration } from '@mikro-orm/migrations';

/**
 * Which version of which document each person agreed to, and when. Registering is the consent; a registration that waits
 * for its address to be verified keeps what it agreed to until it gets the account.
 */
export class Migration0018Consents extends Migration {
  override name = '0018Consents';

  override up(): void {
    this.addSql(`
      create table consents (
        user_id uuid not null references users (id) on delete cascade,
        document text not null,
        version text not null,
        at timestamptz not null,
        primary key (user_id, document, at)
      )`);
    this.addSql(`alter table registrations add column documents jsonb not null default '{}'`);
    this.addSql(`
      create function guard_consents() returns trigger language plpgsql as $$
      begin
        if tg_op = 'DELETE' and not exists (select from users where id = old.user_id) then
          return old;
        end if;
        raise exception 'consents can only be added to' using errcode = 'insufficient_privilege';
      end $$`);
    this.addSql(
      `create trigger consents_keep before delete on consents for each row execute function guard_consents()`,
    );
    this.addSql(
      `create trigger consents_guard before update or truncate on consents for each statement execute function guard_consents()`,
    );
  }
}
