import { expect, test } from 'vitest';
import { Metrics } from '../../../src/platform/Metrics.ts';

test('what is counted elsewhere is a counter, what goes up and down a gauge; both are as they are when somebody reads', async () => {
  const metrics = new Metrics();
  let now = 0;
  metrics.read({
    sockets: () => 7 - now,
    calls: () => 0,
    mediaWorkers: () => 1,
    passwordVerifications: () => now,
  });
  for (const verified of [0, 3, 5]) {
    now = verified;
    const lines = (await metrics.text()).split('\n');
    expect(lines).toContain('# TYPE duet_password_verifications_total counter');
    expect(lines).toContain(`duet_password_verifications_total ${verified}`);
    expect(lines).toContain('# TYPE duet_sockets gauge');
    expect(lines).toContain(`duet_sockets ${7 - verified}`);
  }
});
