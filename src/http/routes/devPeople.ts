import { z } from 'zod';
import type { People } from '../../people/People.ts';
import { Gender } from '../../people/shapes.ts';
import { type Route, route } from '../route.ts';

export interface DevPeopleDeps {
  people: People;
}

const DemoPerson = z.strictObject({
  displayName: z.string(),
  email: z.string(),
  age: z.int(),
  gender: Gender,
  thumbnailUrl: z.string(),
});

/** Who can be played on the demo page. Never part of a production server. */
export function devPeopleRoutes({ people }: DevPeopleDeps): Route[] {
  return [
    route({
      method: 'get',
      base: '',
      path: '/dev/people',
      summary: 'The people of the demo town; all have the password "duet-demo"',
      tags: ['dev'],
      hidden: true,
      who: 'anyone',
      limit: 'none',
      status: 200,
      out: z.strictObject({ items: z.array(DemoPerson) }),
      run: async () => ({ items: await people.demoPeople() }),
    }),
  ];
}
