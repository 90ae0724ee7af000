/**
 * Who somebody is and whom they want to meet, as one number: the gender's number times 8, plus a bit for each gender
 * sought. The database computes the same in `users.audience`.
 */
import { GENDERS, type Gender } from './shapes.ts';

/** The audiences of those whom a viewer wants to meet and who want to meet the viewer. */
export function audiencesFor(viewer: { gender: Gender; genders: readonly Gender[] }): number[] {
  const mine = 1 << GENDERS.indexOf(viewer.gender);
  const wantMe = Array.from({ length: 1 << GENDERS.length }, (_, seeks) => seeks).filter(
    (seeks) => (seeks & mine) !== 0,
  );
  return viewer.genders.flatMap((gender) => wantMe.map((seeks) => GENDERS.indexOf(gender) * 8 + seeks));
}
