import { describe, expect, it } from 'vitest';
import { ageAt, birthDatesFor, MIN_AGE, preferredAgeAt } from '../../../src/people/age.ts';

const day = (text: string) => Date.parse(`${text}T12:00:00Z`);

describe('ages', () => {
  it('are of adults: nobody is here before their eighteenth birthday', () => {
    expect(ageAt('2012-06-15', day('2030-06-14'))).toBeLessThan(MIN_AGE);
    expect(ageAt('2012-06-15', day('2030-06-15'))).toBeGreaterThanOrEqual(MIN_AGE);
  });

  it('turn on the birthday', () => {
    expect(ageAt('2000-06-15', day('2030-06-14'))).toBe(29);
    expect(ageAt('2000-06-15', day('2030-06-15'))).toBe(30);
    expect(ageAt('2004-02-29', day('2030-02-28'))).toBe(25);
    expect(ageAt('2004-02-29', day('2030-03-01'))).toBe(26);
  });

  it('and ranges of birth dates say the same about every day of some years', () => {
    for (const now of ['2030-01-01', '2028-02-29', '2030-02-28', '2030-03-01', '2030-12-31'].map(day)) {
      const { from, to } = birthDatesFor(25, 27, now);
      for (let at = Date.UTC(2000, 0, 1); at < Date.UTC(2008, 0, 1); at += 86_400_000) {
        const born = new Date(at).toISOString().slice(0, 10);
        const age = ageAt(born, now);
        expect(born >= from && born <= to, `${born} at ${new Date(now).toISOString()}`).toBe(
          age >= 25 && age <= 27,
        );
      }
    }
  });

  it('beyond those of preferences are within a range that goes up to the highest one, and no other', () => {
    const now = day('2030-06-15');
    const fits = (birthDate: string, minAge: number, maxAge: number) => {
      const { from, to } = birthDatesFor(minAge, maxAge, now);
      return birthDate >= from && birthDate <= to;
    };
    for (const birthDate of ['1931-06-15', '1930-06-15', '1929-01-01', '1900-01-01']) {
      expect(preferredAgeAt(birthDate, now)).toBe(99);
      expect([fits(birthDate, 18, 99), fits(birthDate, 99, 99), fits(birthDate, 18, 98)]).toEqual([
        true,
        true,
        false,
      ]);
    }
    expect(preferredAgeAt('1931-06-16', now)).toBe(98);
    expect([fits('1931-06-16', 18, 98), fits('1931-06-16', 99, 99)]).toEqual([true, false]);
  });
});
