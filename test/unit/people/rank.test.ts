import { describe, expect, it } from 'vitest';
import { type Candidate, ranked } from '../../../src/people/rank.ts';

const candidate = (id: string, change: Partial<Candidate> = {}): Candidate => ({
  id,
  score: 50_000,
  interests: [],
  upToKm: 50,
  canTalkNow: false,
  ...change,
});

describe('the rank', () => {
  it('puts first whom one could talk to now about something, nearby', () => {
    const all = [
      candidate('a-far', { upToKm: 100 }),
      candidate('b-near', { upToKm: 3 }),
      candidate('c-now', { canTalkNow: true }),
      candidate('d-shares', { interests: ['JAZZ', 'tea', 'other'] }),
      candidate('e-all', { interests: ['jazz'], canTalkNow: true, upToKm: 3 }),
    ];
    expect(ranked(all, ['Jazz', 'Tea']).map((one) => one.id)).toEqual([
      'e-all',
      'c-now',
      'd-shares',
      'b-near',
      'a-far',
    ]);
  });

  it('does not depend on the order it is given', () => {
    const all = Array.from({ length: 30 }, (_, i) => candidate(`p${i}`, { score: 50_000 + (i % 3) }));
    const forwards = ranked(all, []).map((one) => one.id);
    expect(ranked([...all].reverse(), []).map((one) => one.id)).toEqual(forwards);
  });

  it('counts no more than five shared interests', () => {
    const many = ['1', '2', '3', '4', '5', '6', '7', '8'];
    const [first, second] = ranked(
      [candidate('a', { interests: many.slice(0, 5) }), candidate('b', { interests: many })],
      many,
    );
    expect([first!.id, second!.id]).toEqual(['a', 'b']);
  });
});
