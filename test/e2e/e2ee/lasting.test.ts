/** What two people have agreed on lasts: over reloads, calls, new transports, lost sockets and other devices. */
import { expect, test } from 'vitest';
import { newMatch } from '../../support/signedIn.ts';
import { call, claimOf, encryption, eventually, hangUp, hear, stateOf, useDevices } from './devices.ts';
import { honest, type RoomInside, relay } from './relay.ts';

const devices = useDevices();

test('who has compared the words need not do it again, in this call or the next', async () => {
  const { ann, bob, matchId } = await newMatch(devices);
  const [atAnn, atBob] = await Promise.all([devices.device(ann), devices.device(bob)]);
  await call(atAnn, atBob, matchId);
  for (const page of [atAnn, atBob]) await eventually(() => encryption(page)).toMatchObject({ state: 'on' });
  const { words } = (await encryption(atAnn))!;
  for (const page of [atAnn, atBob]) {
    await page.getByTestId('call-e2ee').click();
    expect(await page.getByTestId('call-words').locator('li').allInnerTexts()).toEqual(words);
    await page.getByTestId('call-words-match').click();
    await eventually(() => encryption(page)).toMatchObject({ state: 'verified' });
  }
  await eventually(() => claimOf(atBob, ann)).toBe('verified');
  expect(await atAnn.getByTestId('call-e2ee').innerText()).toBe('Verified');

  for (const [comesBack, stays] of [
    [atBob, atAnn],
    [atAnn, atBob],
  ] as const) {
    const before = (await encryption(stays))!.words;
    await comesBack.reload();
    await eventually(() => encryption(comesBack)).toMatchObject({ state: 'verified' });
    await eventually(async () => (await encryption(stays))!.words).not.toEqual(before);
    await eventually(async () => (await encryption(comesBack))!.words).toEqual(
      (await encryption(stays))!.words,
    );
    await hear(comesBack, stays);
    expect([await stateOf(stays)(), await stateOf(comesBack)()]).toEqual(['verified', 'verified']);
  }

  await hangUp(atAnn, atBob);
  await call(atBob, atAnn, matchId);
  for (const page of [atAnn, atBob])
    await eventually(() => encryption(page)).toMatchObject({ state: 'verified' });

  // One of the two takes it back: the other hears of it, and keeps what it knows by itself.
  await atBob.getByTestId('call-e2ee').click();
  await atBob.getByTestId('call-words-differ').click();
  await eventually(stateOf(atBob)).toBe('off');
  await eventually(() => atAnn.getByTestId('call-e2ee').innerText()).toBe('Check the words');
  expect(await stateOf(atAnn)()).toBe('verified');
  await atAnn.getByTestId('call-e2ee').click();
  await atAnn.getByTestId('call-doubted').waitFor();
});

test('new transports, another device and a lost socket: it stays on', async () => {
  const { ann, bob, matchId } = await newMatch(devices);
  const [atAnn, atBob, onTablet] = await Promise.all([
    devices.device(ann),
    devices.device(bob),
    devices.device(bob),
  ]);
  let room: RoomInside | undefined;
  relay.beforePatch = (one) => {
    if (one.state?.people) room = one;
  };
  await call(atAnn, atBob, matchId);
  for (const page of [atAnn, atBob]) await eventually(() => encryption(page)).toMatchObject({ state: 'on' });
  await hear(atAnn, atBob);
  const { words } = (await encryption(atAnn))!;

  // A worker of the SFU's was replaced: other transports, the same keys.
  honest.say.call(room!, 'media:restart', {});
  await hear(atAnn, atBob);
  expect(await encryption(atAnn)).toMatchObject({ state: 'on', words });

  // It is too slow for one of the two to be given the other's voice: they are not left without it.
  relay.unheard = 1;
  honest.say.call(room!, 'media:restart', {});
  await eventually(() => relay.unheard).toBe(0);
  await hear(atAnn, atBob);
  const { words: wordsThen } = (await encryption(atAnn))!;

  // The socket is lost: the call comes back with other keys, said again until the server can take them. Who was reading
  // the words does not answer for those that came.
  await atAnn.getByTestId('call-e2ee').click();
  await atAnn.getByTestId('call-words').waitFor();
  relay.refusals = 3;
  for (const client of room!.clients) client.leave(4_099);
  for (const page of [atAnn, atBob]) {
    await eventually(async () => (await encryption(page))?.words).not.toEqual(wordsThen);
    await eventually(() => encryption(page)).toMatchObject({ state: 'on' });
  }
  await atAnn.getByTestId('call-words').waitFor({ state: 'detached' });
  expect(relay.refusals).toBe(0);
  await hear(atAnn, atBob);

  // Bob goes on at his tablet: a device that Ann has not met.
  await onTablet.evaluate((id) => sessionStorage.setItem('duet.call', id), room!.roomId);
  await onTablet.reload();
  for (const page of [atAnn, onTablet])
    await eventually(() => encryption(page)).toMatchObject({ state: 'on' });
  await hear(atAnn, onTablet);
  await eventually(() => atAnn.getByTestId('call-e2ee').getAttribute('data-changed')).toBe('true');
  expect((await encryption(onTablet))!.words).toEqual((await encryption(atAnn))!.words);
});

test('who got ready to hear after the answer only hears the other also when they come back', async () => {
  const { ann, bob, matchId } = await newMatch(devices);
  const [atAnn, atBob] = await Promise.all([devices.device(ann), devices.device(bob)]);
  relay.slow = ann.id;
  await call(atAnn, atBob, matchId);
  await hear(atAnn, atBob);
  await atBob.reload();
  await eventually(stateOf(atBob)).toBe('on');
  await hear(atAnn, atBob);
});

test('who comes back and gets what encrypts late is waited for, for the other encrypts on', async () => {
  const { ann, bob, matchId } = await newMatch(devices);
  const [atAnn, atBob] = await Promise.all([devices.device(ann), devices.device(bob)]);
  await call(atAnn, atBob, matchId);
  for (const page of [atAnn, atBob]) await eventually(() => encryption(page)).toMatchObject({ state: 'on' });
  await hear(atAnn, atBob);

  const held = Promise.withResolvers<void>();
  let asked = 0;
  await atBob.route(/frameWorker/, async (route) => {
    asked++;
    // The first one is lost, the next is slow.
    if (asked === 1) return await route.abort();
    await held.promise;
    await route.continue();
  });
  await atBob.reload();
  await eventually(() => encryption(atBob)).toMatchObject({ reason: 'loading', sends: 'held' });
  await atBob.locator('[data-testid="call-held"][data-reason="loading"]').waitFor();
  expect(await atBob.getByTestId('call-talk-anyway').count()).toBe(0);
  expect(await stateOf(atAnn)()).toBe('on');
  held.resolve();
  for (const page of [atAnn, atBob]) await eventually(() => encryption(page)).toMatchObject({ state: 'on' });
  await atBob.getByTestId('call-held').waitFor({ state: 'detached' });
  await hear(atAnn, atBob);
});
