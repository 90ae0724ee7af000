/** A media worker is killed under calls of the product's own client, in Chromium. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useApp } from '../../support/app.ts';
import { eventually } from '../../support/eventually.ts';
import { newMatch } from '../../support/signedIn.ts';
import { Crowd, type Heard, workersOf } from './Crowd.ts';
import { CallPages } from './callPages.ts';

const app = useApp({ MEDIA_WORKERS: '2' });
let pages: CallPages;

beforeAll(async () => {
  pages = await CallPages.open(app.url);
});
afterAll(() => pages?.close());

describe('a worker that dies', { timeout: 60_000 }, () => {
  it('FT-19: takes the sound from its own calls for a moment, and nothing from the others', async () => {
    await using crowd = await Crowd.open(pages);
    for (let i = 0; i < 4; i += 1) await crowd.call(await newMatch(app));
    await eventually(() => crowd.allHear()).toBeDefined();
    const before = (await crowd.allHear())!;

    process.kill(workersOf(process.pid)[0]!, 'SIGKILL');
    const isAnew = ({ userId, ears }: Heard) => ears.length > before.get(userId)!.ears.length;
    // Everybody of two calls hears the tone again, by another transport: through the worker that is left, or through
    // the new one, which takes the port of the dead one, whichever is there first.
    await eventually(async () => [...((await crowd.allHear())?.values() ?? [])].filter(isAnew).length).toBe(
      4,
    );
    const after = await crowd.heard();
    const lost = after.filter(isAnew);
    const kept = after.filter((one) => !isAnew(one));
    expect(new Set(lost.map(({ callId }) => callId)).size).toBe(2);
    // The others hear through what they had, every packet of it.
    const backMs = Math.max(...lost.map(({ ears }) => ears.at(-1)!.firstMs));
    for (const { userId, ears, packetsLost } of kept) {
      expect(packetsLost).toBe(before.get(userId)!.packetsLost);
      expect(ears.at(-1)!.lastMs).toBeGreaterThan(backMs);
    }
  });
});
