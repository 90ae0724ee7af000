import { Migration } from '@mikro-orm/migrations';

/** The coarsest cells reach 9.7 km from their centre, not 9: who lives at their rim is found by who looks that far. */
export class Migration0026CoarseSlack extends Migration {
  override name = '0026CoarseSlack';

  override up(): void {
    this.addSql('update users set slack_km = 10 where slack_km = 9');
  }
}
