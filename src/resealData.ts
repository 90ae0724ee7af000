/**
 * Seals everything in the database anew, with a secret that nobody has seen: for when `DATA_KEY` got out together with a
 * dump (docs/security.md). Change `DATA_KEY` first, then stop every process of Duet, and
 *
 *     DB_URL=… DATA_KEY=… npm run node -- src/resealData.ts      (in the image: node src/resealData.ts)
 *
 * What was ended halfway goes on where it was; until it is through, Duet does not start.
 */
import { reseal } from './accounts/resealing.ts';
import { ConfigError, readConfig } from './config.ts';
import { Database } from './db/Database.ts';
import { createLog } from './log.ts';
import { DataKeys } from './platform/DataKeys.ts';

process.exitCode = await main();

async function main(): Promise<number> {
  const config = readConfig();
  const { dataKey, dataKeyPrevious } = config.secrets;
  if (config.db.url === undefined || dataKey === undefined) {
    process.stderr.write('DB_URL, DATA_KEY: are needed\n');
    return 1;
  }
  const log = createLog('warn');
  const db = await Database.open({ url: config.db.url, poolSize: 2, log, statementTimeoutMs: 60_000 });
  try {
    const secrets = { current: dataKey, previous: dataKeyPrevious };
    const { from, to, finish } = await DataKeys.renew({ db, secrets, log });
    const texts = await reseal(db, from, to);
    await finish();
    process.stdout.write(`${texts} texts were sealed anew\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  } finally {
    await db.close();
  }
}
