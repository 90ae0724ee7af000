import { AccountDeadlines } from '../accounts/AccountDeadlines.ts';
import { AdminDesk } from '../accounts/AdminDesk.ts';
import { Departure } from '../accounts/Departure.ts';
import { Erasure } from '../accounts/Erasure.ts';
import { Export } from '../accounts/Export.ts';
import { Sanctions } from '../accounts/Sanctions.ts';
import type { Settle } from '../accounts/settle.ts';
import type { Config } from '../config.ts';
import { ReportDesk } from '../safety/ReportDesk.ts';
import { Reports } from '../safety/Reports.ts';
import { Suspicion } from '../safety/Suspicion.ts';
import type { AccountServices } from './accounts.ts';
import type { CallServices } from './calls.ts';
import type { PeopleServices } from './people.ts';
import type { Stores } from './stores.ts';

export type AccountLife = ReturnType<typeof openAccountLife>;

/** What becomes of accounts: suspended, banned, deleted, erased, exported; and the admins' desk. */
export function openAccountLife(
  config: Config,
  { clock, db, log, keys }: Stores,
  { accounts, sessions, emailTokens, mails, mailbox, audit, addresses, bans }: AccountServices,
  { people, photos, links }: PeopleServices,
  { matches, blocks }: CallServices,
  closing: AsyncDisposableStack,
) {
  const forget = (userId: string) => people.changed(userId, { candidates: true });
  const settle: Settle = async (userId, left) => {
    await forget(userId);
    if (left) await matches.severAll(userId);
  };
  const sanctions = new Sanctions({
    db,
    clock,
    sessions,
    audit,
    bans,
    addresses,
    settle,
    banPictures: (tx, userId, banned) =>
      banned ? photos.banPicturesOf(tx, userId) : photos.allowPicturesOf(tx, userId),
  });
  const suspicion = new Suspicion({
    db,
    clock,
    reportsToSuspend: config.reportsToSuspend,
    suspend: (userId, reporters) => sanctions.suspend(userId, `reported by ${reporters} independent people`),
  });
  const consider = (userId: string) => suspicion.consider(userId);
  accounts.onRestored(consider);
  const reports = new Reports({ db, clock, keys, blocks, onReport: consider });
  const departure = new Departure({
    db,
    clock,
    accounts,
    sessions,
    emailTokens,
    mails,
    audit,
    settle,
    graceMs: config.graceMs,
  });
  const erasure = new Erasure({
    db,
    clock,
    audit,
    addresses,
    removeFiles: (userId) => photos.removeFilesOf(userId),
    forget,
    forgetMails: async (email) => mailbox?.forget(email),
  });
  const deadlines = new AccountDeadlines({ db, clock, log, sanctions, erasure, settle });
  closing.defer(() => deadlines.close());
  const adminDesk = new AdminDesk({ db, clock, audit, addresses });
  const reportDesk = new ReportDesk({ db, clock, audit, keys });
  const exporting = new Export({
    db,
    clock,
    audit,
    keys,
    me: (userId) => people.me(userId),
    photoUrl: (userId, key) => links.urlFor(userId, key, 'full'),
  });
  return { sanctions, departure, deadlines, adminDesk, reports, reportDesk, exporting };
}
