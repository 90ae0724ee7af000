import { describe, expect, it } from 'vitest';
import { audiencesFor } from '../../../src/people/audience.ts';
import { GENDERS, type Gender } from '../../../src/people/shapes.ts';

/** As the database numbers a person: the gender times 8, plus a bit for each gender sought. */
const audienceOf = (gender: Gender, seeks: readonly Gender[]) =>
  GENDERS.indexOf(gender) * 8 + seeks.reduce((bits, one) => bits + (1 << GENDERS.indexOf(one)), 0);

const subsets = [1, 2, 3, 4, 5, 6, 7].map((bits) => GENDERS.filter((_, i) => (bits & (1 << i)) !== 0));

describe('audiences', () => {
  it('are exactly those who want each other', () => {
    for (const gender of GENDERS) {
      for (const genders of subsets) {
        const found = new Set(audiencesFor({ gender, genders }));
        for (const other of GENDERS) {
          for (const seeks of subsets) {
            const both = genders.includes(other) && seeks.includes(gender);
            expect(found.has(audienceOf(other, seeks))).toBe(both);
          }
        }
      }
    }
  });
});
