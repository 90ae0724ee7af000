import { Migration } from '@mikro-orm/migrations';

/**
 * The security log can only be added to. What has been written is neither changed nor removed, but for what is two years
 * old; and each line holds the hash of the one before it, so that what was done around this shows
 * (`src/accounts/auditChain.ts`).
 */
export class Migration0017AuditChain extends Migration {
  override name = '0017AuditChain';

  override up(): void {
    this.#chains();
    this.#guard();
    // Lines from before have no hash. How many there are stands in the first one that has.
    this.addSql(`
      insert into audit_log (id, at, action, details)
      select gen_random_uuid(), now(), 'log_chained', jsonb_build_object('unchained', count(*))
      from audit_log having count(*) > 0`);
  }

  #chains(): void {
    // The last line of each chain. One chain would have everybody who signs in wait for everybody else's commit; a
    // connection that has a chain for itself waits for nobody. And a transaction is on one connection, so it holds one
    // chain at most: no two can wait for each other.
    this.addSql(`
      create table audit_chains (
        chain smallint primary key,
        seq bigint not null default 0,
        hash bytea not null default decode(repeat('00', 32), 'hex')
      ) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)`);
    this.addSql(`insert into audit_chains (chain) select generate_series(0, 127)`);
    this.addSql(`
      alter table audit_log
        add column chain smallint,
        add column seq bigint,
        add column prev_hash bytea,
        add column hash bytea`);
    this.addSql(`create unique index audit_log_chain on audit_log (chain, seq) where chain is not null`);
    // Times as numbers: their text depends on the connection. The text of jsonb does not.
    this.addSql(`
      create function audit_hash(line audit_log) returns bytea language sql stable as $$
        select sha256(convert_to(jsonb_build_array(
          line.chain, line.seq, encode(line.prev_hash, 'hex'), line.id,
          (extract(epoch from line.at) * 1000000)::bigint, line.action, line.user_id, line.actor_id, line.session_id,
          line.subject, line.device, line.address, line.details)::text, 'UTF8'))
      $$`);
    this.addSql(`
      create function chain_audit() returns trigger language plpgsql as $$
      declare
        head audit_chains;
      begin
        select * into strict head from audit_chains where chain = pg_backend_pid() % 128 for no key update;
        new.chain := head.chain;
        new.seq := head.seq + 1;
        new.prev_hash := head.hash;
        new.hash := audit_hash(new);
        update audit_chains set seq = new.seq, hash = new.hash where chain = head.chain;
        return new;
      end $$`);
    this.addSql(
      `create trigger audit_log_chain before insert on audit_log for each row execute function chain_audit()`,
    );
  }

  #guard(): void {
    this.addSql(`
      create function guard_audit() returns trigger language plpgsql as $$
      begin
        if tg_op = 'DELETE' and old.at < now() - interval '730 days' then
          return old;
        end if;
        raise exception 'the security log can only be added to' using errcode = 'insufficient_privilege';
      end $$`);
    this.addSql(
      `create trigger audit_log_keep before delete on audit_log for each row execute function guard_audit()`,
    );
    this.addSql(
      `create trigger audit_log_guard before update or truncate on audit_log for each statement execute function guard_audit()`,
    );
  }
}
