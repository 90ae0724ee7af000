/** Ages in whole years, by the calendar in UTC. Birth dates are `YYYY-MM-DD`. */
import { DAY_MS, dayOf } from '../days.ts';

export const MIN_AGE = 18;
/** The highest age of a preference: as an upper end it means that age and older, both of who looks and of who is looked at. */
export const MAX_AGE = 99;
/** Eight years: of most viewers' ranges of ages two or three cohorts. */
const COHORT_DAYS = 2922;

/** Nobody alive was born before. PostgreSQL has no year 0, and cohorts count from here. */
export const MIN_BIRTH_DATE = '1900-01-01';

/** The cohort of a row of `users` that a statement calls `u`, as SQL. The index of discovery has it spelled the same way. */
export const COHORT_SQL = `((u.birth_date - date '${MIN_BIRTH_DATE}') / ${COHORT_DAYS})`;

/** How old somebody is at `nowMs`. Who was born on 29 February turns a year older on 1 March. */
export function ageAt(birthDate: string, nowMs: number): number {
  const [year, month, day] = birthDate.split('-').map(Number) as [number, number, number];
  const now = new Date(nowMs);
  const hadBirthday =
    now.getUTCMonth() + 1 > month || (now.getUTCMonth() + 1 === month && now.getUTCDate() >= day);
  return now.getUTCFullYear() - year - (hadBirthday ? 0 : 1);
}

/** The age that preferences are asked about: who is older than they go counts as of their highest age. */
export function preferredAgeAt(birthDate: string, nowMs: number): number {
  return Math.min(ageAt(birthDate, nowMs), MAX_AGE);
}

/** The first and the last birth date of those whose `preferredAgeAt` is `minAge` to `maxAge` at `nowMs`. */
export function birthDatesFor(minAge: number, maxAge: number, nowMs: number): { from: string; to: string } {
  const from = maxAge >= MAX_AGE ? MIN_BIRTH_DATE : shifted(nowMs, maxAge + 1, 1);
  return { from, to: shifted(nowMs, minAge, 0) };
}

/** The number of the eight years that somebody was born in. */
export function cohortOf(birthDate: string): number {
  return Math.trunc((Date.parse(birthDate) - Date.parse(MIN_BIRTH_DATE)) / DAY_MS / COHORT_DAYS);
}

/** The same day `years` earlier, plus `days`. 29 February becomes the 28th where a year has none. */
function shifted(nowMs: number, years: number, days: number): string {
  const now = new Date(nowMs);
  const year = now.getUTCFullYear() - years;
  const lastDay = new Date(Date.UTC(year, now.getUTCMonth() + 1, 0)).getUTCDate();
  const day = Math.min(now.getUTCDate(), lastDay);
  return dayOf(Date.UTC(year, now.getUTCMonth(), day + days));
}
