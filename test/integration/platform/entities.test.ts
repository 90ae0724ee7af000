/** The entities say what the migrations made: every table, every column, and which may be null. */
import { expect, test } from 'vitest';
import { useDatabase } from '../../support/database.ts';

const at = useDatabase();
/** MikroORM's own. */
const NOT_OURS = 'mikro_orm_migrations';

test('every table has its entity, column by column', async () => {
  const { rows } = await at.db.pool.query<{ table: string; columns: string[] }>(
    `select relname as "table",
       array_agg(attname || case when attnotnull then '' else '?' end order by attname) as columns
     from pg_class join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
     where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition and relname <> $1
     group by relname`,
    [NOT_OURS],
  );
  const tables = Object.fromEntries(rows.map(({ table, columns }) => [table, columns]));
  const entities = [...at.db.orm.getMetadata().getAll().values()].map(({ tableName, properties }) => {
    const columns = Object.values(properties).flatMap(({ fieldNames, nullable }) =>
      fieldNames.map((name) => (nullable ? `${name}?` : name)),
    );
    return [tableName, columns.toSorted()];
  });
  expect(Object.fromEntries(entities)).toEqual(
    Object.fromEntries(Object.entries(tables).map(([table, columns]) => [table, columns.toSorted()])),
  );
});
