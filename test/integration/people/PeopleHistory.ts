/**
 * Random histories of six people among a crowd: drawn from a seed, done to the program's own use cases by `PeopleRun`, and
 * cut down to the steps that matter where they go wrong. A step names people by their place, so that it goes the same way
 * each time and any part of a history is one too.
 */
import { DAY_MS, HOUR_MS } from '../../../src/days.ts';
import { GENDERS, type Gender } from '../../../src/people/shapes.ts';
import { Random } from '../../simulation/Random.ts';
import type { PeopleWorld } from '../../support/people.ts';
import type { Figure } from './PeopleRules.ts';
import { insertFigure, NAMES, PeopleRun, type Profile } from './PeopleRun.ts';

export interface History {
  startMs: number;
  /** The first six. */
  cast: Profile[];
  steps: Step[];
}

export interface Step {
  /** How long before it. */
  ms: number;
  /** What is done, by different people; two things are done at once. */
  deeds: Deed[];
  /** Of the pages of discovery that are turned after it, all of them; null: none. */
  limit: number | null;
}

export interface Deed {
  act: Act;
  by: number;
  about: number;
  /** Which process does it. */
  process: 0 | 1;
  /** Drawn for whichever act needs it. */
  on: boolean;
  ages: { minAge?: number; maxAge?: number };
  reachKm: number;
  spot: number | null;
  profile: Profile;
}

const ACTS = {
  like: 30,
  dislike: 10,
  undo: 6,
  block: 6,
  report: 2,
  unblock: 7,
  accept: 12,
  decline: 4,
  end: 6,
  card: 4,
  pause: 3,
  hide: 3,
  gender: 2,
  wish: 3,
  ages: 4,
  reach: 2,
  move: 6,
  tier: 3,
  verify: 2,
  suspend: 3,
  leave: 3,
  return: 8,
  erase: 3,
  look: 2,
};
export type Act = keyof typeof ACTS;

/** How long passes between two steps. */
const PAUSES: Record<string, number> = { 1: 40, 1000: 30, [HOUR_MS]: 8, [23 * HOUR_MS]: 6, [DAY_MS]: 4 };
for (const days of [6, 29, 30, 31, 60, 89, 90]) PAUSES[days * DAY_MS] = 1;

/** The first moment of a month, of the day after a leap day, of a year, of the last day of February. */
const STARTS = ['2028-02-01', '2028-03-01', '2027-01-01', '2029-02-28'].map((day) => Date.parse(day));
const BIRTH_DATES = ['2008-02-29', '2008-03-01', '2004-02-29', '1996-12-31', '1990-06-15', '1925-01-01'];
/** More than a deck, so that decks are kept. */
const CROWD = 66;

export function drawHistory(seed: number, length: number): History {
  const random = new Random(seed);
  const cast = NAMES.map(() => drawProfile(random));
  const steps: Step[] = [];
  while (steps.length < length) steps.push(drawStep(random, steps.at(-1)));
  return { startMs: random.pick(STARTS) - random.pick([0, 1, 60_000, 12 * HOUR_MS]), cast, steps };
}

function drawStep(random: Random, before: Step | undefined): Step {
  const first = drawDeed(random);
  const step: Step = {
    ms: Number(random.weighted(PAUSES)) + random.between(1, 3),
    deeds: [first],
    limit: random.pick([7, 40, 100, null, null, null]),
  };
  const answer = before && drawAnswer(random, before.deeds[0]!);
  if (answer !== undefined) {
    Object.assign(first, answer.deed);
    if (answer.days !== undefined) step.ms = answer.days * DAY_MS + random.pick([-1, 0, 1]);
    step.limit = 100;
  }
  const second = drawDeed(random);
  // Most often the other one of the two.
  if (random.chance(0.7)) Object.assign(second, { by: first.about, about: first.by });
  if (random.chance(0.25) && second.by !== first.by) step.deeds.push(second);
  return step;
}

function drawDeed(random: Random): Deed {
  // Those in front meet more often.
  const by = Math.min(random.between(0, 5), random.between(0, 5));
  const next = 1 + Math.min(random.between(0, 4), random.between(0, 4));
  const [minAge, maxAge] = [random.between(18, 40), random.between(20, 99)];
  return {
    act: random.weighted(ACTS),
    by,
    about: random.chance(0.03) ? by : (by + next) % NAMES.length,
    process: random.pick([0, 1]),
    on: random.chance(0.5),
    ages: random.pick([{ minAge, maxAge }, { minAge }, { maxAge }, { minAge: 18, maxAge: 99 }]),
    reachKm: random.pick([5, 20, 100, 2_000]),
    spot: random.pick([0, 0, 1, 2, null]),
    profile: drawProfile(random),
  };
}

/** What often follows: a like is returned, a term runs out, what was done is taken back. */
function drawAnswer(
  random: Random,
  { act, by, about }: Deed,
): { deed: Partial<Deed>; days?: number } | undefined {
  const then = (next: Act, days: readonly number[]) => ({
    deed: { act: next, by, about },
    days: random.pick(days),
  });
  const back = (next: Act) => ({ deed: { act: next, by: about, about: by } });
  if (act === 'like' && random.chance(0.45))
    return back(random.pick(['like', 'like', 'like', 'accept', 'leave']));
  if (act === 'accept' && random.chance(0.5)) return back(random.pick(['accept', 'accept', 'decline']));
  if (!random.chance(0.4)) return undefined;
  if (act === 'dislike') return then(random.pick(['look', 'undo', 'like']), [1, 29, 30, 30]);
  if (act === 'end') return then(random.pick(['look', 'like', 'dislike']), [89, 90, 90]);
  if (act === 'block') return random.chance(0.4) ? back('block') : then('unblock', [1, 90]);
  if (act === 'suspend') return then('return', [1, 30]);
  if (act === 'leave') return then(random.pick(['return', 'erase']), [1, 14]);
  return undefined;
}

function drawProfile(random: Random): Profile {
  const hex = (digits: number) =>
    Array.from({ length: digits }, () => random.between(0, 15).toString(16)).join('');
  const wishes: readonly (readonly Gender[])[] = [GENDERS, GENDERS, GENDERS, ['woman', 'man'], ['nonbinary']];
  return {
    id: `${hex(8)}-${hex(4)}-7${hex(3)}-8${hex(3)}-${hex(12)}`,
    gender: random.pick(GENDERS),
    genders: random.pick(wishes),
    birthDate: random.pick(BIRTH_DATES),
    minAge: random.pick([18, 18, 18, 20]),
    maxAge: random.pick([99, 99, 99, 40]),
    reachKm: random.pick([20, 100, 2_000]),
    verified: random.chance(0.9),
    tier: random.pick(['regular', 'premium']),
  };
}

/** Fills the database with who is only looked at. Once, for all histories. */
export async function gatherCrowd({ db }: PeopleWorld): Promise<Figure[]> {
  const random = new Random(0);
  const crowd: Figure[] = [];
  for (let i = 0; i < CROWD; i++) {
    const everybody = { verified: true, genders: GENDERS, minAge: 18, maxAge: 99, birthDate: '1990-06-15' };
    crowd.push(await insertFigure(db, { ...drawProfile(random), ...everybody }, `crowd ${i}`));
  }
  return crowd;
}

/** Does a history. Resolves with how it went wrong, and at which step; undefined when it did not. */
export async function live(
  world: PeopleWorld,
  crowd: readonly Figure[],
  { startMs, cast, steps }: History,
): Promise<{ story: string[]; at: number } | undefined> {
  const run = new PeopleRun(world, crowd, startMs, cast);
  try {
    await run.begin();
    for (const [at, step] of steps.entries()) {
      try {
        await run.step(step);
      } catch (error) {
        return { story: [...run.story, String(error instanceof Error ? error.message : error)], at };
      }
    }
    return undefined;
  } finally {
    await run.end();
  }
}

/** The fewest steps of a history that go wrong still, found by leaving out ever fewer at a time. */
export async function shortest(
  world: PeopleWorld,
  crowd: readonly Figure[],
  history: History,
): Promise<History> {
  let { steps } = history;
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < steps.length; ) {
      const fewer = steps.toSpliced(from, size);
      // Time passes all the same.
      const gone = steps.slice(from, from + size).reduce((ms, step) => ms + step.ms, 0);
      const next = fewer[from];
      if (next !== undefined) fewer[from] = { ...next, ms: next.ms + gone };
      const broken = await live(world, crowd, { ...history, steps: fewer });
      if (broken === undefined) from += size;
      else steps = fewer.slice(0, broken.at + 1);
    }
  }
  return { ...history, steps };
}
