import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../../src/clock.ts';
import { readConfig } from '../../../src/config.ts';
import { sql } from '../../../src/db/sql.ts';
import { DuetError } from '../../../src/errors.ts';
import { createLog } from '../../../src/log.ts';
import { Discovery } from '../../../src/people/Discovery.ts';
import { Limits, limitRules } from '../../../src/platform/Limits.ts';
import { openRedis, waitUntilReady } from '../../../src/platform/redis.ts';
import { usePeople } from '../../support/people.ts';
import { useRedis } from '../../support/redis.ts';

const countSightings = sql<{ count: number }>(
  'test-count-sightings',
  `select count(*) from sightings where viewer_id = $1`,
);
const HERE = { lat: -12, lon: 33 };
const PER_DAY = 45;

describe('LD-05: whoever looks at everybody', () => {
  const redis = useRedis();
  const at = usePeople();
  const clients: ReturnType<typeof openRedis>[] = [];
  /** Discovery as two processes have it, with one allowance between them. */
  let processes: Discovery[];
  let everybody: string[];

  beforeAll(async () => {
    const { world } = at;
    processes = await Promise.all(
      [0, 1].map(async () => {
        const client = openRedis(redis.url, createLog('silent'));
        clients.push(client);
        await waitUntilReady(client, 10_000);
        const { limits: config } = readConfig({
          LIMIT_PROFILES_PER_DAY: String(PER_DAY),
          LIMIT_BROWSE: '15',
        });
        const limits = new Limits({ rules: limitRules(config), clock: new SystemClock(), redis: client });
        const allowance = (viewerId: string, wanted: number) => limits.takeUpTo('profiles', viewerId, wanted);
        const cardAllowance = (viewerId: string, wanted: number) =>
          limits.takeUpTo('cards', viewerId, wanted);
        return new Discovery({ ...world, allowance, cardAllowance });
      }),
    );
    everybody = await world.persons(90);
    for (const id of everybody) await world.people.editProfile(id, { location: HERE });
  });
  afterAll(() => {
    for (const client of clients) client.disconnect();
  });

  async function viewer(): Promise<string> {
    const id = await at.world.person({ gender: 'man' });
    await at.world.people.editProfile(id, { location: HERE });
    await at.world.people.editPreferences(id, { genders: ['woman'], maxDistanceKm: 20 });
    return id;
  }

  it('is shown as many different people as a day allows, then hears when to come back', async () => {
    const me = await viewer();
    const [discovery] = processes;
    const seen = new Set<string>();
    const sizes: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await discovery!.list(me, { limit: 20, cursor });
      sizes.push(page.items.length);
      for (const card of page.items) seen.add(card.id);
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    // The last page is cut short, and nothing is said to come after it.
    expect(sizes).toEqual([20, 20, 5]);
    expect(seen.size).toBe(PER_DAY);

    // Whom one has seen today one may look at again; nobody else comes with them.
    const again = await discovery!.list(me, { limit: 20 });
    expect(again.items.map((card) => card.id).filter((id) => !seen.has(id))).toEqual([]);
    for (const id of seen) await at.world.decisions.decide(me, id, 'dislike');
    const refused = await discovery!.list(me, { limit: 20 }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(DuetError);
    expect((refused as DuetError).code).toBe('TOO_MANY_REQUESTS');
    expect((refused as DuetError).retryAfterSec).toBeGreaterThan(80_000);
    // Others are not held up by it.
    expect((await discovery!.list(await viewer(), { limit: 20 })).items).toHaveLength(20);
  });

  it('LD-04: can make it remember only so much by asking for the same people over and over again', async () => {
    const me = await viewer();
    let shown = 0;
    let refused: unknown;
    // Each first page, and each beginning that is written by hand, is a browsing of its own.
    for (let i = 0; refused === undefined && i < 1_000; i++) {
      const cursor =
        i % 2 === 0 ? undefined : Buffer.from(`${Date.now() - 1_000 * i}.${i}`).toString('base64url');
      const page = await processes[i % 2]!.list(me, { limit: 40, cursor }).catch((error: unknown) => {
        refused = error;
      });
      shown += page?.items.length ?? 0;
    }
    expect(refused).toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    expect((refused as DuetError).retryAfterSec).toBeGreaterThan(80_000);
    expect(shown).toBe(10 * PER_DAY);
    const [remembered] = await at.world.db.query(countSightings, [me]);
    expect(remembered!.count).toBeLessThanOrEqual(10 * PER_DAY);
  });

  it('gets no more by asking two processes for everything at once', async () => {
    const me = await viewer();
    const answers = await Promise.allSettled(
      Array.from({ length: 12 }, (_, i) => processes[i % 2]!.list(me, { limit: 5 + i })),
    );
    const shown = answers.flatMap((answer) =>
      answer.status === 'fulfilled' ? answer.value.items.map((card) => card.id) : [],
    );
    expect(new Set(shown).size).toBeLessThanOrEqual(PER_DAY);
    expect(new Set(shown).size).toBeGreaterThan(0);
  });
});
