import { describe, expect, it } from 'vitest';
import { useApp } from '../../support/app.ts';
import { newPerson } from '../../support/signedIn.ts';

describe('the day’s moves of a whole program', () => {
  const app = useApp({ LIMIT_MOVES_PER_DAY: '2' });

  it('are as many as LIMIT_MOVES_PER_DAY says', async () => {
    const me = await newPerson(app);
    const moveTo = async (lat: number) =>
      (await me.call('PUT', '/users/me', { location: { lat, lon: 5 } })).status;
    expect([await moveTo(1), await moveTo(30), await moveTo(60)]).toEqual([200, 200, 429]);
  });
});
