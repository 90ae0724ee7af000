import { AccountDeadlines } from '../accounts/AccountDeadlines.ts';
import { AdminDesk } from '../accounts/AdminDesk.ts';
import { Departure } from '../accounts/Departure.ts';
import { Erasure } from '../accounts/Erasure.ts';
import { Export } from '../accounts/Export.ts';
import { Standing } from '../accounts/Standing.ts';
import type { Settle } from '../accounts/settle.ts';
import type { Config } from '../config.ts';
import { ReportDesk } from '../safety/ReportDesk.ts';
import type { AccountServices } from './accounts.ts';
import type { CallServices } from './calls.ts';
import type { PeopleServices } from './people.ts';
import type { Stores } from './stores.ts';

export type AccountLife = ReturnType<typeof openAccountLife>;

/** What becomes of accounts: suspended, banned, deleted, erased, exported; and the admins' desk. */
export function openAccountLife(
  config: Config,
  { clock, db, log }: Stores,
  { accounts, sessions, emailTokens, mails, mailbox, audit, bans }: AccountServices,
  { people, photos }: PeopleServices,
  { matches }: CallServices,
  closing: AsyncDisposableStack,
) {
  const forget = (userId: string) => people.changed(userId, { candidates: true });
  const settle: Settle = async (userId, left) => {
    await forget(userId);
    if (left) await matches.severAll(userId);
  };
  const standing = new Standing({
    db,
    clock,
    sessions,
    audit,
    bans,
    settle,
    banPictures: (userId, banned) => (banned ? photos.banPicturesOf(userId) : photos.allowPicturesOf(userId)),
  });
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
    removeFiles: (userId) => photos.removeFilesOf(userId),
    forget,
    forgetMails: async (email) => mailbox?.forget(email),
  });
  const deadlines = new AccountDeadlines({ db, clock, log, standing, erasure, settle });
  closing.defer(() => deadlines.close());
  const adminDesk = new AdminDesk({ db, clock, audit });
  const reportDesk = new ReportDesk({ db, clock, audit });
  const exporting = new Export({ db, clock, audit, me: (userId) => people.me(userId) });
  return { standing, departure, deadlines, adminDesk, reportDesk, exporting };
}
