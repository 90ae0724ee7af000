import { Migration } from '@mikro-orm/migrations';

/**
 * Areas of two sizes: about 7 km for those who look nearby, about 20 km for those who look far. With small ones only,
 * a search of 100 km looks into a thousand corners; with large ones only, one of 10 km walks through people who live
 * too far away.
 */
export class Migration0008WideAreas extends Migration {
  override name = '0008WideAreas';

  override up(): void {
    // The parent at resolution 5 of an H3 cell, by the layout of its bits: the resolution stands in bits 52 to 55, and
    // the digits below the fifth, 30 bits, are all ones (H3, "Index representations").
    this.addSql(`
      alter table users add column wide_area bigint not null generated always as (
        case when area = 0 then 0 else
          area & ~((15::bigint << 52) | ((1::bigint << 30) - 1)) | (5::bigint << 52) | ((1::bigint << 30) - 1)
        end) stored`);
    this.addSql(`
      create index users_discovery_wide on users (audience, wide_area, score desc, id)
        include (birth_date, min_age, max_age, max_distance_km, x, y, z, slack_km, rested_on)
        where status = 'active' and discoverable and email_verified_at is not null`);
  }
}
