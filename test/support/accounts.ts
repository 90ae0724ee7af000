import type { Client } from '../../src/accounts/client.ts';
import type { RegisterBody } from '../../src/accounts/shapes.ts';
import { openAccounts as openAccountServices } from '../../src/app/accounts.ts';
import type { Clock } from '../../src/clock.ts';
import { SystemClock } from '../../src/clock.ts';
import { readConfig } from '../../src/config.ts';
import type { Database } from '../../src/db/Database.ts';
import { createLog, type Log } from '../../src/log.ts';
import { type Bus, MemoryBus } from '../../src/platform/Bus.ts';
import { Cache } from '../../src/platform/Cache.ts';
import { Jobs } from '../../src/platform/Jobs.ts';
import type { Secrets } from '../../src/platform/keys.ts';
import {
  type LimitName,
  type LimitRule,
  Limits,
  type LimitsOptions,
  limitRules,
} from '../../src/platform/Limits.ts';
import type { Mailer } from '../../src/platform/Mailer.ts';
import { openDataKeys } from './database.ts';

/** Everything of accounts on a database of a test, put together as the program does it. */
export type AccountsParts = Awaited<ReturnType<typeof openAccounts>>;

export interface OpenAccountsOptions {
  db: Database;
  url: string;
  clock?: Clock;
  bus?: Bus;
  secrets?: Secrets;
  mailer?: Mailer;
  documents?: { terms: string; privacy: string };
  redis?: LimitsOptions['redis'];
  /** Points by limit; what is not named has a million. */
  limits?: Partial<Record<LimitName, number>>;
  /** Whether answers wait for the next whole step, as in production. */
  evenly?: boolean;
  pollMs?: number;
  adminEmails?: string[];
  log?: Log;
}

export const TEST_SECRETS: Secrets = {
  current: 'a-secret-for-tests-only-with-64-characters-0123456789abcdef01234',
};

export async function openAccounts(options: OpenAccountsOptions) {
  const { db, url, mailer, pollMs } = options;
  const log = options.log ?? createLog('silent');
  const clock = options.clock ?? new SystemClock();
  const secrets = options.secrets ?? TEST_SECRETS;
  const bus = options.bus ?? new MemoryBus();
  const jobs = new Jobs({ url, log });
  await jobs.start();
  const limits = new Limits({ rules: generous(options.limits ?? {}), clock, redis: options.redis });
  const closing = new AsyncDisposableStack();
  const cache = new Cache({ clock, bus });
  closing.defer(() => cache.close());
  const services = await openAccountServices(
    {
      db,
      clock,
      bus,
      cache,
      limits,
      jobs,
      log,
      secrets: { jwt: secrets },
      keys: await openDataKeys(db),
      mail: readConfig({}).mail,
      adminEmails: options.adminEmails ?? [],
      documents: options.documents ?? readConfig({}).documents,
      publicUrl: () => 'https://duet.test',
      overrides: { mailer, pollMs, answerStepMs: options.evenly ? undefined : 0 },
    },
    closing,
  );
  return {
    ...services,
    mailbox: services.mailbox!,
    db,
    clock,
    secrets,
    bus,
    jobs,
    limits,
    close: () => closing.disposeAsync(),
  };
}

export const CLIENT: Client = {
  address: '203.0.113.7',
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
};

export const PASSWORD = 'a quiet violet harbour';

/** A body of a registration; `email` is made up unless given. */
export function registration(given: Partial<RegisterBody> = {}): RegisterBody {
  return {
    email: `person-${Math.random().toString(36).slice(2, 12)}@example.org`,
    password: PASSWORD,
    displayName: 'Robin',
    birthDate: '1995-05-20',
    gender: 'nonbinary',
    ...given,
  };
}

/** Waits until `find` finds something (30 s at most: a busy machine is no failure). */
export async function until<T>(find: () => Promise<T | undefined> | T | undefined, what = 'it'): Promise<T> {
  const end = performance.now() + 30_000;
  for (;;) {
    const found = await find();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`Waited 30 s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The token in the newest mail to an address whose subject matches. */
export function mailedToken(
  parts: AccountsParts,
  to: string,
  subject: RegExp,
  olderThan?: string,
): Promise<string> {
  return until(async () => {
    const mail = (await parts.mailbox.list(to)).find((kept) => subject.test(kept.subject));
    const token = /\?token=([\w-]+)/.exec(mail?.text ?? '')?.[1];
    return token === olderThan ? undefined : token;
  }, `a mail to ${to}`);
}

/** The tokens in the mails to verify an address, the oldest first; waits until there are `count`. */
export async function verifyTokens(parts: AccountsParts, email: string, count: number): Promise<string[]> {
  const mails = await until(async () => {
    const found = (await parts.mailbox.list(email)).filter((mail) => /Verify/.test(mail.subject));
    return found.length >= count ? found : undefined;
  }, 'mails to verify');
  return mails.reverse().map((mail) => /\?token=([\w-]+)/.exec(mail.text)![1]!);
}

function generous(points: Partial<Record<LimitName, number>>): Record<LimitName, LimitRule> {
  const rules = limitRules(readConfig({}).limits);
  const entries = Object.entries(rules) as [LimitName, LimitRule][];
  return Object.fromEntries(
    entries.map(([name, rule]) => [name, { ...rule, points: points[name] ?? 1_000_000 }]),
  ) as Record<LimitName, LimitRule>;
}
