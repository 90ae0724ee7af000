import { Migration } from '@mikro-orm/migrations';

/**
 * Discovery by audience: who somebody is and whom they want to meet, in one small number that leads the index. With
 * `seeks` only as a filter, somebody whom few in a city want to meet made discovery walk past everybody else.
 */
export class Migration0005Audience extends Migration {
  override name = '0005Audience';

  override up(): void {
    this.addSql(`drop index users_discovery`);
    this.addSql(`drop index users_discovery_anywhere`);
    // The gender's number times 8, plus a bit for each gender sought (src/people/audience.ts).
    this.addSql(`
      alter table users
        drop column seeks,
        add column audience smallint not null generated always as (
          case gender when 'woman' then 0 when 'man' then 8 else 16 end +
          case when 'woman' = any (genders) then 1 else 0 end +
          case when 'man' = any (genders) then 2 else 0 end +
          case when 'nonbinary' = any (genders) then 4 else 0 end) stored`);
    for (const [name, prefix] of [
      ['users_discovery', 'audience, area, score desc, id'],
      ['users_discovery_anywhere', 'audience, score desc, id'],
    ]) {
      this.addSql(`
        create index ${name} on users (${prefix})
          include (birth_date, min_age, max_age, max_distance_km, x, y, z, slack_km, rested_on)
          where status = 'active' and discoverable and email_verified_at is not null`);
    }
  }
}
