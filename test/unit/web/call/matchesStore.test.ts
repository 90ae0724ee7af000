import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  clearMatches,
  dropMatch,
  loadMatches,
  matches,
  takeMatch,
} from '../../../../web/page/store/matches.ts';
import { toasts } from '../../../../web/page/store/toasts.ts';
import { DuetApiError } from '../../../../web/sdk/DuetApiError.ts';
import type { Match } from '../../../../web/sdk/types.ts';

const { duet } = vi.hoisted(() => ({ duet: {} as Record<string, unknown> }));
vi.mock('../../../../web/page/duet.ts', () => ({ duet }));

type Answer = (ids: string[] | Error) => void;
/** The lists that were asked for, to be answered by hand. */
let asked: Answer[];

const match = (id: string) => ({ id }) as Match;
const shown = () => matches.value.active.map(({ id }) => id);
const settle = () => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  asked = [];
  duet.matches = {
    active: () =>
      new Promise((resolve, reject) => {
        asked.push((ids) => {
          if (ids instanceof Error) reject(ids);
          else resolve({ items: ids.map(match) });
        });
      }),
    history: async () => ({ items: [] }),
  };
});
afterEach(clearMatches);

test('a list that was on its way does not undo what was heard since: it is asked for again', async () => {
  void loadMatches();
  takeMatch(match('new'));
  asked[0]!([]);
  await settle();
  expect(shown()).toEqual(['new']);
  dropMatch('new');
  asked[1]!(['new']);
  await settle();
  expect(shown()).toEqual([]);
  asked[2]!(['other']);
  await settle();
  expect(shown()).toEqual(['other']);
  expect(matches.value.loaded).toBe(true);
  expect(asked).toHaveLength(3);
});

test('of two lists the one that was asked for later counts, whichever comes first', async () => {
  void loadMatches();
  void loadMatches();
  asked[1]!(['new']);
  await settle();
  asked[0]!(['old']);
  await settle();
  expect(shown()).toEqual(['new']);
  expect(asked).toHaveLength(2);
});

test('nobody sees the matches of whoever was signed in before, or hears that they could not be had', async () => {
  void loadMatches();
  void loadMatches();
  clearMatches();
  asked[0]!(DuetApiError.network());
  asked[1]!(['theirs']);
  await settle();
  expect(matches.value).toMatchObject({ active: [], loaded: false });
  expect(toasts.value.items).toEqual([]);
  expect(asked).toHaveLength(2);
});
