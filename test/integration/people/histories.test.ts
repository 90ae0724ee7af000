import { beforeAll, expect, test } from 'vitest';
import { replaceClock } from '../../support/database.ts';
import { usePeople } from '../../support/people.ts';
import { drawHistory, gatherCrowd, live, shortest } from './PeopleHistory.ts';
import type { Figure } from './PeopleRules.ts';

/** `DUET_HISTORIES=100 DUET_FIRST_HISTORY=1000` for as many others as wanted. */
const HISTORIES = Number(process.env.DUET_HISTORIES ?? 4);
const FIRST = Number(process.env.DUET_FIRST_HISTORY ?? 1);
const STEPS = 120;

const at = usePeople({ prepare: (url) => replaceClock(url, 'to_timestamp(ms / 1000)', 'now') });
let crowd: Figure[] = [];
beforeAll(async () => {
  crowd = await gatherCrowd(at.world);
});

test.each(Array.from({ length: HISTORIES }, (_, nth) => FIRST + nth))(
  'six people like, block, leave and come back over the months, and see what the rules say: history %i',
  async (seed) => {
    const history = drawHistory(seed, STEPS);
    if ((await live(at.world, crowd, history)) === undefined) return;
    const broken = await live(at.world, crowd, await shortest(at.world, crowd, history));
    expect.fail(broken!.story.join('\n'));
  },
  300_000,
);
