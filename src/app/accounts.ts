import { AccessTokens } from '../accounts/AccessTokens.ts';
import { AccountMails } from '../accounts/AccountMails.ts';
import { Accounts } from '../accounts/Accounts.ts';
import { Addresses } from '../accounts/Addresses.ts';
import { Admins } from '../accounts/Admins.ts';
import { Audit } from '../accounts/Audit.ts';
import { Bans } from '../accounts/Bans.ts';
import { DeviceKeys } from '../accounts/DeviceKeys.ts';
import { Devices } from '../accounts/Devices.ts';
import { EmailTokens } from '../accounts/EmailTokens.ts';
import { emailKey } from '../accounts/emailKey.ts';
import { Forgetting } from '../accounts/Forgetting.ts';
import { PasswordChange } from '../accounts/PasswordChange.ts';
import { Passwords } from '../accounts/Passwords.ts';
import { RefreshTokens } from '../accounts/RefreshTokens.ts';
import { Revocations } from '../accounts/Revocations.ts';
import { Sealing } from '../accounts/Sealing.ts';
import { Sessions } from '../accounts/Sessions.ts';
import { type Documents, SignUp } from '../accounts/SignUp.ts';
import type { Clock } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import type { Log } from '../log.ts';
import { forgetCached } from '../people/People.ts';
import type { Bus } from '../platform/Bus.ts';
import type { Cache } from '../platform/Cache.ts';
import type { DataKeys } from '../platform/DataKeys.ts';
import type { Jobs } from '../platform/Jobs.ts';
import type { Secrets } from '../platform/keys.ts';
import type { Limits } from '../platform/Limits.ts';
import { Mailbox } from '../platform/Mailbox.ts';
import { type Mailer, SmtpMailer } from '../platform/Mailer.ts';

export type AccountServices = Awaited<ReturnType<typeof openAccounts>>;

export interface AccountNeeds {
  clock: Clock;
  db: Database;
  bus: Bus;
  cache: Cache;
  limits: Limits;
  jobs: Jobs;
  log: Log;
  secrets: { jwt: Secrets };
  /** Of data at rest. */
  keys: DataKeys;
  /** Without an SMTP server mails go to the mailbox of development. */
  mail: { smtpUrl: string | undefined; from: string };
  adminEmails: readonly string[];
  /** The versions of the texts that whoever registers agrees to. */
  documents: Documents;
  /** Where links in mails lead. */
  publicUrl: () => string;
  /** What tests set apart. */
  overrides?: {
    mailer?: Mailer;
    pollMs?: number;
    answerStepMs?: number | undefined;
  };
}

/** Answers that must not tell whether an address is known come after a whole number of these. */
const ANSWER_STEP_MS = 100;

/** Who people are: sign-up, sign-in, sessions. */
export async function openAccounts(needs: AccountNeeds, closing: AsyncDisposableStack) {
  const { clock, db, bus, cache, limits, jobs, log, keys, mail, publicUrl, overrides = {} } = needs;
  const addresses = new Addresses(keys);
  const secrets = needs.secrets.jwt;
  const passwords = await Passwords.open();
  closing.defer(() => passwords.close());
  const accessTokens = new AccessTokens({ clock, secrets });
  const refreshTokens = new RefreshTokens(secrets);
  const revocations = new Revocations({ db, bus, clock, log, pollMs: overrides.pollMs });
  await revocations.start();
  closing.defer(() => revocations.close());
  const audit = new Audit({ clock, secrets });
  const devices = new Devices(secrets);
  const bans = new Bans({ secret: keys.tagSecret });
  const emailTokens = new EmailTokens({ clock });
  const mailbox =
    mail.smtpUrl === undefined ? new Mailbox({ db, clock, secrets, keyOf: emailKey }) : undefined;
  const mailer = overrides.mailer ?? mailbox ?? new SmtpMailer({ url: mail.smtpUrl!, from: mail.from });
  closing.defer(() => mailer.close());
  const mails = new AccountMails({ db, jobs, mailer, emailTokens, addresses, publicUrl });
  await mails.start();
  // Before the mailer: jobs that are under way still send.
  closing.defer(() => jobs.close());
  const sessions = new Sessions({ db, clock, accessTokens, refreshTokens, revocations, audit, mails });
  const admins = new Admins({ db, sessions, audit, addresses, emails: needs.adminEmails, log });
  await admins.demoteOthers();
  const accounts = new Accounts({
    db,
    clock,
    limits,
    passwords,
    accessTokens,
    sessions,
    revocations,
    devices,
    admins,
    mails,
    audit,
    addresses,
    bans,
  });
  const common = {
    db,
    clock,
    limits,
    passwords,
    sessions,
    emailTokens,
    mails,
    audit,
    addresses,
    bans,
    answerStepMs: overrides.answerStepMs ?? ANSWER_STEP_MS,
    forgetCached: (userId: string) => forgetCached(cache, userId, { candidates: true }),
  };
  const signUp = new SignUp({ ...common, documents: needs.documents });
  const passwordChange = new PasswordChange({ ...common, accounts });
  const forgetting = new Forgetting({ db, clock, log, sessions, emailTokens, devices, audit });
  const sealing = new Sealing({ db, clock, log, keys, addresses });
  sealing.start();
  closing.defer(() => sealing.close());
  forgetting.start();
  closing.defer(() => forgetting.close());
  return {
    accounts,
    signUp,
    passwordChange,
    deviceKeys: new DeviceKeys(db),
    accessTokens,
    refreshTokens,
    revocations,
    sessions,
    emailTokens,
    mails,
    mailbox,
    passwords,
    audit,
    addresses,
    bans,
  };
}
