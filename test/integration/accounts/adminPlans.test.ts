/** However long the security log and however many the people: whose lines, and who is banned, is found by an index. */
import { expect, test } from 'vitest';
import {
  listAuditOfAction,
  listAuditOfActor,
  listAuditOfUser,
  listUsersOfStatus,
} from '../../../src/accounts/adminStatements.ts';
import { useDatabase } from '../../support/database.ts';

const base = useDatabase();

test.each([
  [listAuditOfUser, /audit_log_user/],
  [listAuditOfActor, /audit_log_actor/],
  [listAuditOfAction, /audit_log_action/],
  [listUsersOfStatus, /users_not_active/],
] as const)('$name', async ({ text }, index) => {
  const { rows } = await base.db.pool.query(`explain (generic_plan) ${text}`);
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan).toMatch(index);
  // Not all of them, to be thrown away one by one.
  expect(plan).not.toMatch(/audit_log_pkey|users_pkey|Seq Scan/);
});
