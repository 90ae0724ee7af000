/**
 * The configuration: the environment, read once, checked as a whole, typed. No other file reads `process.env`,
 * but for the few variables that a media worker inherits (`src/media/spawnWorker.ts`).
 * What is missing or wrong is told in one list, so that a start fails once and not once a variable.
 */
import { isIPv6 } from 'node:net';
import { z } from 'zod';
import { whyNotAnnounced } from './announced.ts';
import { unsafeSettings } from './unsafeSettings.ts';

const seconds = (defaultSec: number, minSec = 1) =>
  z.coerce.number().int().min(minSec).max(31_536_000).default(defaultSec);
const limit = z.coerce.number().int().min(1).max(10_000_000);
const count = (defaultCount: number) => limit.default(defaultCount);
const text = z.string().min(1).optional();
const documentVersion = z
  .string()
  .regex(/^[\w.-]{1,40}$/)
  .default('1');
const listOf = (defaultItems: string) =>
  z
    .string()
    .default(defaultItems)
    .transform((value) =>
      value
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    );

const Environment = z.object({
  NODE_ENV: z.enum(['development', 'test', 'production']).default('development'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(3000),
  HOST: z.string().min(1).default('127.0.0.1'),
  PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  PROCESS_ADDRESS: z
    .string()
    .regex(/^[\w.:[\]-]+$/, 'must be host or host:port')
    .optional(),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  DATA_DIR: z.string().min(1).default('.data'),

  DB_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  DB_POOL: z.coerce.number().int().min(2).max(500).default(20),
  REDIS_URL: z.url({ protocol: /^rediss?$/ }).optional(),

  JWT_SECRET: text,
  JWT_PREVIOUS_SECRET: text,
  DATA_KEY: text,
  DATA_KEY_PREVIOUS: text,

  AWS_ACCESS_KEY_ID: text,
  AWS_SECRET_ACCESS_KEY: text,
  S3_BUCKET: z.string().min(3).default('duet'),
  S3_ENDPOINT: z.url().optional(),
  S3_REGION: z.string().min(1).default('us-east-1'),

  TURN_SECRET: text,
  TURN_URLS: listOf(''),
  SMTP_URL: z.url({ protocol: /^smtps?$/ }).optional(),
  MAIL_FROM: z.string().min(3).default('Duet <no-reply@localhost>'),

  VAPID_PUBLIC_KEY: text,
  VAPID_PRIVATE_KEY: text,
  VAPID_SUBJECT: z
    .string()
    .regex(/^(mailto:|https:)/)
    .default('mailto:push@localhost'),
  PUSH_HOSTS: listOf(
    'fcm.googleapis.com,updates.push.services.mozilla.com,web.push.apple.com,*.notify.windows.com',
  ),

  ADMIN_EMAILS: listOf(''),
  TERMS_VERSION: documentVersion,
  PRIVACY_VERSION: documentVersion,
  ACCOUNT_GRACE_SEC: seconds(1_209_600, 0),

  ALLOWED_ORIGINS: listOf(''),
  TRUSTED_PROXIES: listOf(''),

  MEDIA_LISTEN_ADDRESS: z.string().min(1).default('127.0.0.1'),
  MEDIA_ANNOUNCED_ADDRESS: text,
  MEDIA_ALLOW_PRIVATE: z.enum(['true', 'false']).default('false'),
  MEDIA_PORT: z.coerce.number().int().min(0).max(65_000).default(0),
  MEDIA_WORKERS: z.coerce.number().int().min(1).max(256).optional(),

  MATCH_ACCEPT_SEC: seconds(86_400),
  MATCH_WARNING_SEC: seconds(3_600),
  CALL_RING_SEC: seconds(30),
  CALL_DURATION_SEC: seconds(300),
  CALL_EXTENSION_SEC: seconds(300),
  CALL_MAX_EXTENSIONS: z.coerce.number().int().min(0).max(100).default(3),
  CALL_WARNING_SEC: seconds(30),
  CALL_REQUEST_SEC: seconds(20),
  CALL_RECONNECT_SEC: seconds(30),
  DRAIN_SEC: seconds(600, 0),

  LIMIT_LOGIN: count(5),
  LIMIT_ANONYMOUS: count(100),
  LIMIT_BROWSE: count(600),
  LIMIT_DECIDE: count(300),
  LIMIT_WRITE: count(100),
  LIMIT_UPLOAD: count(30),
  LIMIT_LIVE: limit.optional(),
  LIMIT_SAFETY: limit.optional(),
  LIMIT_PROFILES_PER_DAY: count(2_000),
  LIMIT_MOVES_PER_DAY: count(20),
  LIMIT_UNANSWERED_CALLS: count(3),
  LIMIT_MESSAGES: count(60),
  LIMIT_MEDIA_MESSAGES: count(120),
  LIMIT_SOCKETS_PER_USER: count(20),
  LIMIT_SOCKETS_PER_ADDRESS: count(200),
  LIMIT_CONNECTIONS: limit.optional(),

  REPORTS_TO_SUSPEND: z.coerce.number().int().min(0).max(1_000).default(5),

  LIKES_PER_DAY_REGULAR: count(100),
  LIKES_PER_DAY_PREMIUM: count(1_000),

  SEED_DEMO: z.enum(['true', 'false']).optional(),
});

export type Config = ReturnType<typeof shape>;

export class ConfigError extends Error {
  readonly problems: string[];

  constructor(problems: string[]) {
    super(`The configuration is wrong:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/**
 * Reads the configuration from an environment (`process.env` unless given). An empty variable counts as absent.
 * Throws `ConfigError` with every problem found.
 */
export function readConfig(environment: Record<string, string | undefined> = process.env): Config {
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const read = Environment.safeParse(given);
  const problems = read.success
    ? []
    : read.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  const production = given.NODE_ENV === 'production';
  problems.push(...secretProblems(given, production), ...unsafeSettings(given, production));
  if (production) problems.push(...productionProblems(given));
  if (!read.success || problems.length > 0) throw new ConfigError(problems);
  return shape(read.data);
}

/** Where a process that listens there is reached: an IPv6 address stands in brackets (RFC 3986, section 3.2.2). */
export function httpUrl(host: string, port: number): string {
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

function secretProblems(given: Record<string, string | undefined>, production: boolean): string[] {
  const problems: string[] = [];
  for (const name of ['JWT_SECRET', 'DATA_KEY'] as const) {
    const value = given[name];
    if (value === undefined) {
      if (production) problems.push(`${name}: is needed in production (32 random characters or more)`);
    } else if (value.length < 32) {
      problems.push(`${name}: must be at least 32 random characters and not a sample value`);
    }
  }
  for (const name of ['JWT_PREVIOUS_SECRET', 'DATA_KEY_PREVIOUS'] as const) {
    const value = given[name];
    if (value !== undefined && value.length < 32) problems.push(`${name}: must be at least 32 characters`);
  }
  return problems;
}

function productionProblems(given: Record<string, string | undefined>): string[] {
  const needed = {
    PUBLIC_URL: 'the address that people reach Duet at; links in mails start with it',
    DB_URL: 'the embedded PostgreSQL is for development only',
    S3_ENDPOINT: 'the embedded S3 is for development only',
    AWS_ACCESS_KEY_ID: 'the S3 access key',
    AWS_SECRET_ACCESS_KEY: 'the S3 secret key',
    SMTP_URL: 'the mailbox page is for development only',
    MEDIA_ANNOUNCED_ADDRESS: 'the address that calls reach the media workers at',
  };
  const problems = Object.entries(needed)
    .filter(([name]) => given[name] === undefined)
    .map(([name, why]) => `${name}: is needed in production (${why})`);
  const allowPrivate = given.MEDIA_ALLOW_PRIVATE === 'true';
  const unreachable = whyNotAnnounced(given.MEDIA_ANNOUNCED_ADDRESS ?? '', { allowPrivate });
  if (unreachable !== undefined) problems.push(`MEDIA_ANNOUNCED_ADDRESS: ${unreachable}`);
  // Everybody of the demo town has the same, published password.
  if (given.SEED_DEMO === 'true') problems.push('SEED_DEMO: the demo town is not for production');
  return problems;
}

/** Groups the flat environment by who uses it; durations become milliseconds. */
function shape(env: z.infer<typeof Environment>) {
  const publicUrl = env.PUBLIC_URL?.replace(/\/$/, '');
  return {
    mode: env.NODE_ENV,
    host: env.HOST,
    port: env.PORT,
    /** Without a trailing slash; undefined in development: the address that the server turns out to listen on. */
    publicUrl,
    /** `host:port` at which clients reach this very process, where several share the public address. */
    processAddress: env.PROCESS_ADDRESS,
    logLevel: env.LOG_LEVEL,
    dataDir: env.DATA_DIR,
    db: { url: env.DB_URL, poolSize: env.DB_POOL },
    redisUrl: env.REDIS_URL,
    secrets: {
      jwt: env.JWT_SECRET,
      jwtPrevious: env.JWT_PREVIOUS_SECRET,
      dataKey: env.DATA_KEY,
      dataKeyPrevious: env.DATA_KEY_PREVIOUS,
    },
    s3: {
      endpoint: env.S3_ENDPOINT,
      region: env.S3_REGION,
      bucket: env.S3_BUCKET,
      accessKeyId: env.AWS_ACCESS_KEY_ID,
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
    },
    turn: { secret: env.TURN_SECRET, urls: env.TURN_URLS },
    mail: { smtpUrl: env.SMTP_URL, from: env.MAIL_FROM },
    push: {
      publicKey: env.VAPID_PUBLIC_KEY,
      privateKey: env.VAPID_PRIVATE_KEY,
      subject: env.VAPID_SUBJECT,
      /** Hosts that a device may name as its push service. */
      hosts: env.PUSH_HOSTS,
    },
    /** The versions of the texts in force, which whoever registers agrees to. */
    documents: { terms: env.TERMS_VERSION, privacy: env.PRIVACY_VERSION },
    /** Whose accounts are admins. */
    adminEmails: env.ADMIN_EMAILS,
    /** How long a deleted account can be had back before it is erased. */
    graceMs: env.ACCOUNT_GRACE_SEC * 1000,
    allowedOrigins: env.ALLOWED_ORIGINS,
    trustedProxies: env.TRUSTED_PROXIES,
    media: {
      listenAddress: env.MEDIA_LISTEN_ADDRESS,
      announcedAddress: env.MEDIA_ANNOUNCED_ADDRESS,
      port: env.MEDIA_PORT,
      workers: env.MEDIA_WORKERS,
    },
    match: { acceptMs: env.MATCH_ACCEPT_SEC * 1000, warningMs: env.MATCH_WARNING_SEC * 1000 },
    call: {
      ringMs: env.CALL_RING_SEC * 1000,
      durationMs: env.CALL_DURATION_SEC * 1000,
      extensionMs: env.CALL_EXTENSION_SEC * 1000,
      maxExtensions: env.CALL_MAX_EXTENSIONS,
      warningMs: env.CALL_WARNING_SEC * 1000,
      requestMs: env.CALL_REQUEST_SEC * 1000,
      reconnectMs: env.CALL_RECONNECT_SEC * 1000,
    },
    drainMs: env.DRAIN_SEC * 1000,
    /**
     * Requests per 15 minutes (login, anonymous, browse, decide, write, upload, live, safety), people shown and moves
     * per day, unanswered calls of a pair per hour, messages per minute.
     */
    limits: {
      login: env.LIMIT_LOGIN,
      anonymous: env.LIMIT_ANONYMOUS,
      browse: env.LIMIT_BROWSE,
      decide: env.LIMIT_DECIDE,
      write: env.LIMIT_WRITE,
      upload: env.LIMIT_UPLOAD,
      // A client whose sockets do not last asks for its places every few seconds.
      live: env.LIMIT_LIVE ?? Math.max(env.LIMIT_BROWSE, env.LIMIT_DECIDE),
      // Who raises what people may do raises what they may do about it.
      safety: env.LIMIT_SAFETY ?? Math.max(env.LIMIT_DECIDE, env.LIMIT_WRITE),
      profilesPerDay: env.LIMIT_PROFILES_PER_DAY,
      movesPerDay: env.LIMIT_MOVES_PER_DAY,
      unansweredCalls: env.LIMIT_UNANSWERED_CALLS,
      messagesPerMin: env.LIMIT_MESSAGES,
      mediaMessagesPerMin: env.LIMIT_MEDIA_MESSAGES,
    },
    /** Open at one process. */
    socketLimits: { perUser: env.LIMIT_SOCKETS_PER_USER, perAddress: env.LIMIT_SOCKETS_PER_ADDRESS },
    /** Of one process, HTTP and sockets together; undefined: by how many files it may open. */
    maxConnections: env.LIMIT_CONNECTIONS,
    /** How many independent people must complain about somebody for a suspension; 0: never by itself. */
    reportsToSuspend: env.REPORTS_TO_SUSPEND,
    likesPerDay: { regular: env.LIKES_PER_DAY_REGULAR, premium: env.LIKES_PER_DAY_PREMIUM },
    /** The demo town is made on an empty database outside production and tests, unless said otherwise. */
    seedDemo: env.SEED_DEMO === undefined ? env.NODE_ENV === 'development' : env.SEED_DEMO === 'true',
  };
}
