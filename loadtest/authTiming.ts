/**
 * Can somebody who measures tell whether an address has an account? Times the answers for known and unknown
 * addresses, alternating, and compares the two distributions.
 *
 *     npm run node -- loadtest/authTiming.ts [n = 2000] [login|register|forgot|resend …]
 *
 * Starts a server of its own with the limits off, on DB_URL or an embedded PostgreSQL. Prints for each call both
 * medians in ms and the p-value of the two-sample Kolmogorov-Smirnov test; exits with 1 where the medians differ by
 * more than 1 ms or p is 0.01 or less.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startOwnServer } from './ownServer.ts';

const MAX_DIFFERENCE_MS = 1;
const MIN_P = 0.01;
const KNOWN_ACCOUNTS = 20;
const WARM_UP = 50;
const PASSWORD = 'a quiet violet harbour';

/** What is measured: the path, the body for an address, and how many are under way at once. */
const CALLS = {
  login: {
    path: '/auth/login',
    body: (email: string) => ({ email, password: 'not the password at all' }),
    lanes: 1,
  },
  // These mostly wait for their step to end; four at a time are done sooner and disturb each other little.
  register: { path: '/auth/register', body: registration, lanes: 4 },
  forgot: { path: '/auth/forgot-password', body: (email: string) => ({ email }), lanes: 4 },
  resend: { path: '/auth/resend-verification', body: (email: string) => ({ email }), lanes: 4 },
};

const [count = '2000', ...chosen] = process.argv.slice(2);
const names = (chosen.length > 0 ? chosen : Object.keys(CALLS)) as (keyof typeof CALLS)[];
const server = await startOwnServer();
try {
  const known = Array.from({ length: KNOWN_ACCOUNTS }, (_, nth) => `known-${nth}@example.org`);
  for (const email of known) await makeAccount(server.url, email);
  let differs = false;
  for (const name of names) differs = (await compare(name, Number(count), known, server.url)) || differs;
  process.exitCode = differs ? 1 : 0;
} finally {
  await server.close();
}

/** Measures one call and prints the comparison; true where known and unknown can be told apart. */
async function compare(name: keyof typeof CALLS, n: number, known: string[], url: string): Promise<boolean> {
  const { path, body, lanes } = CALLS[name];
  const times = { known: [] as number[], unknown: [] as number[] };
  let next = -WARM_UP;
  const lane = async () => {
    for (let nth = next++; nth < n; nth = next++) await both(nth);
  };
  const both = async (nth: number) => {
    // Alternating, in changing order: what the machine does meanwhile meets both alike.
    const order = Math.random() < 0.5 ? (['known', 'unknown'] as const) : (['unknown', 'known'] as const);
    for (const kind of order) {
      const email =
        kind === 'known'
          ? known[Math.abs(nth) % known.length]!
          : `unknown-${crypto.randomUUID()}@example.org`;
      const tookMs = await timed(url, path, body(email));
      if (nth >= 0) times[kind].push(tookMs);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const medians = { known: median(times.known), unknown: median(times.unknown) };
  const differenceMs = Math.abs(medians.known - medians.unknown);
  const p = kolmogorovSmirnov(times.known, times.unknown);
  const differs = differenceMs > MAX_DIFFERENCE_MS || p <= MIN_P;
  console.log(
    `${name}: n = ${n} each, median known ${medians.known.toFixed(3)} ms, unknown ${medians.unknown.toFixed(3)} ms, ` +
      `difference ${differenceMs.toFixed(3)} ms, KS p = ${p.toFixed(4)}${differs ? '  <- can be told apart' : ''}`,
  );
  return differs;
}

/** Registers, and verifies by the link in the mailbox. */
async function makeAccount(url: string, email: string): Promise<void> {
  await timed(url, CALLS.register.path, registration(email));
  for (;;) {
    const mailbox = await fetch(`${url}/dev/mailbox?to=${email}`);
    const { items } = (await mailbox.json()) as { items: { text: string }[] };
    const token = /\?token=([\w-]+)/.exec(items[0]?.text ?? '')?.[1];
    if (token !== undefined) {
      await timed(url, '/auth/verify-email', { token });
      return;
    }
    await sleep(50);
  }
}

async function timed(url: string, path: string, body: object): Promise<number> {
  const startedAt = performance.now();
  const response = await fetch(`${url}/api/v1${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const tookMs = performance.now() - startedAt;
  await response.arrayBuffer();
  if (![202, 204, 401].includes(response.status)) throw new Error(`${path} answered ${response.status}`);
  return tookMs;
}

function registration(email: string) {
  return { email, password: PASSWORD, displayName: 'Robin', birthDate: '1990-01-31', gender: 'woman' };
}

function median(values: number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)]!;
}

/** The p-value of the two-sample Kolmogorov-Smirnov test, by its asymptotic distribution. */
function kolmogorovSmirnov(first: number[], second: number[]): number {
  const [a, b] = [first, second].map((values) => values.toSorted((one, other) => one - other)) as [
    number[],
    number[],
  ];
  let [i, j, distance] = [0, 0, 0];
  while (i < a.length && j < b.length) {
    const at = Math.min(a[i]!, b[j]!);
    while (i < a.length && a[i]! <= at) i++;
    while (j < b.length && b[j]! <= at) j++;
    distance = Math.max(distance, Math.abs(i / a.length - j / b.length));
  }
  const effective = Math.sqrt((a.length * b.length) / (a.length + b.length));
  const lambda = (effective + 0.12 + 0.11 / effective) * distance;
  let p = 0;
  for (let k = 1; k <= 100; k++) p += 2 * (-1) ** (k - 1) * Math.exp(-2 * k * k * lambda * lambda);
  return lambda < 0.2 ? 1 : Math.min(1, Math.max(0, p));
}
