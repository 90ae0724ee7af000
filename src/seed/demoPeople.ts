/** Who lives in the demo town. Everybody is open to everybody, so that there is always somebody to meet. */
import type { Gender } from '../people/shapes.ts';
import { DEMO_OTHERS } from './demoOthers.ts';
import { DEMO_WOMEN } from './demoWomen.ts';
import type { Look } from './look.ts';

export interface DemoPerson {
  name: string;
  gender: Gender;
  age: number;
  bio: string;
  interests: string[];
  look: Look;
}

/** By name, Ada first. */
export const DEMO_PEOPLE: readonly DemoPerson[] = [...DEMO_WOMEN, ...DEMO_OTHERS].sort((a, b) =>
  a.name < b.name ? -1 : 1,
);
