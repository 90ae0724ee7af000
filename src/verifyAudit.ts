/**
 * Looks whether the security log is what was written (PV-17):
 *
 *     DB_URL=… npm run node -- src/verifyAudit.ts [heads.json]      (in the image: node src/verifyAudit.ts)
 *
 * Says what is wrong and ends with 1 then. A file that is named holds the ends of the log as of the last look that found
 * nothing: kept on another machine, it shows what not even hashes in the database can, a log written anew as a whole.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { type AuditHeads, verifyAudit } from './accounts/auditChain.ts';
import { readConfig } from './config.ts';
import { Database } from './db/Database.ts';
import { createLog } from './log.ts';

process.exitCode = await main(process.argv[2]);

async function main(path: string | undefined): Promise<number> {
  const { url } = readConfig().db;
  if (url === undefined) {
    process.stderr.write('DB_URL: is needed (of the embedded PostgreSQL: while Duet runs)\n');
    return 1;
  }
  const db = await Database.open({ url, poolSize: 2, log: createLog('warn'), statementTimeoutMs: 60_000 });
  try {
    const { lines, unchained, problems, heads } = await verifyAudit(db, readKept(path));
    for (const problem of problems) process.stdout.write(`${problem}\n`);
    const before = unchained === 0 ? '' : `, ${unchained} from before lines had hashes`;
    process.stdout.write(`${lines} lines${before}: ${problems.length} problems\n`);
    if (problems.length > 0) return 1;
    if (path !== undefined) writeFileSync(path, JSON.stringify(heads));
    return 0;
  } finally {
    await db.close();
  }
}

function readKept(path: string | undefined): AuditHeads {
  if (path === undefined) return {};
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as AuditHeads;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}
