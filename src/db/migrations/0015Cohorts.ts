import { Migration } from '@mikro-orm/migrations';

/**
 * Discovery by cohort: those born within the same eight years stand together in the index. With the ages as filters only,
 * a viewer of 67 made a search walk past seventy people of other ages for each one of theirs. One size of areas is enough
 * now: within a cohort few live too far away to be walked past.
 */
export class Migration0015Cohorts extends Migration {
  override name = '0015Cohorts';

  override up(): void {
    this.addSql(`drop index users_discovery`);
    this.addSql(`drop index users_discovery_wide`);
    // The expression is src/people/age.ts's. birth_date itself is in the index for the exact limits.
    this.addSql(`
      create index users_discovery on users (audience, wide_area, ((birth_date - date '1900-01-01') / 2922), score desc, id)
        include (birth_date, min_age, max_age, max_distance_km, x, y, z, slack_km, rested_on)
        where status = 'active' and discoverable and email_verified_at is not null`);
  }
}
