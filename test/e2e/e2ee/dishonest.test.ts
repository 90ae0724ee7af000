/** A server that plays tricks with keys is noticed by the two people who talk through it, in real Chromium. */
import { expect, test } from 'vitest';
import { DeviceKey } from '../../../web/sdk/e2ee/DeviceKey.ts';
import { KeyAgreement } from '../../../web/sdk/e2ee/KeyAgreement.ts';
import { type KeyMessage, readKeyMessage } from '../../../web/sdk/e2ee/keyMessages.ts';
import { MemoryVault } from '../../../web/sdk/e2ee/Vault.ts';
import type { Json, Person } from '../../support/client.ts';
import { SfuTap } from '../../support/SfuTap.ts';
import { newMatch } from '../../support/signedIn.ts';
import { call, encryption, eventually, hangUp, hear, useDevices } from './devices.ts';
import { opener } from './opener.ts';
import { honest, type RoomInside, relay } from './relay.ts';

const tap = new SfuTap();
const devices = useDevices();

/** A server with devices of its own, that is Bob to Ann and Ann to Bob. */
class Between {
  readonly #ann: Person;
  readonly #bob: Person;
  #room: RoomInside | undefined;
  #toAnn: Promise<KeyAgreement> | undefined;
  #toBob: Promise<KeyAgreement> | undefined;

  constructor(ann: Person, bob: Person) {
    this.#ann = ann;
    this.#bob = bob;
  }

  /** In the room, and offering keys to Bob as soon as he is there. */
  enter(room: RoomInside): void {
    if (!room.state?.people) return;
    this.#room = room;
    this.#toAnn ??= this.#agreement(this.#bob, this.#ann, false);
    if (!room.state.people.get(this.#bob.id)?.connected || this.#toBob) return;
    this.#toBob = this.#agreement(this.#ann, this.#bob, true);
    void this.#toBob.then((agreement) => agreement.begin());
  }

  /** Keeps what the two say to each other. */
  hear(payload: Json): undefined {
    const agreement = payload.userId === this.#ann.id ? this.#toAnn : this.#toBob;
    const message = readKeyMessage(payload);
    if (message) void agreement?.then((one) => one.hear(message));
  }

  async #agreement(as: Person, to: Person, isCaller: boolean): Promise<KeyAgreement> {
    const room = this.#room!;
    return new KeyAgreement({
      callId: room.roomId,
      userId: as.id,
      peerId: to.id,
      isCaller,
      device: await DeviceKey.of(as.id, new MemoryVault()),
      nowSec: () => 1_000,
      send: (message: KeyMessage) =>
        honest.say.call(room, 'call:e2ee_key', { userId: as.id, ...message }, to.id),
    });
  }
}

test('a server that swaps a key is noticed, and gets nothing to hear', async () => {
  const { ann, bob, matchId } = await newMatch(devices);
  const [atAnn, atBob] = await Promise.all([devices.device(ann), devices.device(bob)]);
  tap.packets = [];
  relay.say = (type, payload) =>
    type === 'call:e2ee_key' && payload.step === 'share'
      ? { ...payload, key: Buffer.alloc(32, 9).toString('base64url') }
      : payload;
  await call(atAnn, atBob, matchId);
  await eventually(() => encryption(atAnn)).toMatchObject({
    state: 'off',
    reason: 'tampered',
    sends: 'held',
  });
  await eventually(() => encryption(atBob)).toMatchObject({
    state: 'off',
    reason: 'stripped',
    sends: 'held',
  });
  for (const page of [atAnn, atBob]) await page.getByTestId('call-held').waitFor();
  // Bob, who answered what Ann did offer, has encrypted to her alone until then.
  const open = await opener(atBob);
  const opened = await Promise.all(tap.packets.map(({ payload }) => open(payload, 0)));
  expect(opened).not.toContain(undefined);
  await eventually(async () => {
    tap.packets = [];
    await new Promise((resolve) => setTimeout(resolve, 200));
    return tap.packets;
  }).toEqual([]);
});

test('a server that is each one’s other is betrayed by the words', async () => {
  const { ann, bob, matchId } = await newMatch(devices);
  const [atAnn, atBob] = await Promise.all([devices.device(ann), devices.device(bob)]);
  const between = new Between(ann, bob);
  relay.takesAll = true;
  relay.say = (type, payload) => (type === 'call:e2ee_key' ? between.hear(payload) : payload);
  relay.beforePatch = (room) => between.enter(room);
  await call(atAnn, atBob, matchId);
  await eventually(() => encryption(atAnn)).toMatchObject({ state: 'on' });
  await eventually(() => encryption(atBob)).toMatchObject({ state: 'on' });
  const words = await Promise.all([atAnn, atBob].map(async (page) => (await encryption(page))!.words));
  expect(words[0]).toHaveLength(4);
  expect(words[0]).not.toEqual(words[1]);

  await atAnn.getByTestId('call-e2ee').click();
  await atAnn.getByTestId('call-words-differ').click();
  await eventually(() => encryption(atAnn)).toMatchObject({
    state: 'off',
    reason: 'mismatch',
    sends: 'held',
  });
});

test('a server that strips all word of encryption is noticed by who has heard the other encrypted before', async () => {
  const { ann, bob, matchId } = await newMatch(devices);
  const [atAnn, atBob] = await Promise.all([devices.device(ann), devices.device(bob)]);
  await call(atAnn, atBob, matchId);
  await eventually(() => encryption(atAnn)).toMatchObject({ state: 'on' });
  await eventually(() => encryption(atBob)).toMatchObject({ state: 'on' });
  await hangUp(atAnn, atBob);

  tap.packets = [];
  relay.say = (type, payload) => (type === 'call:e2ee_key' ? undefined : payload);
  relay.beforePatch = ({ state }) => {
    for (const person of state?.people?.values() ?? []) person.e2eeAble = false;
  };
  await call(atAnn, atBob, matchId);
  for (const page of [atAnn, atBob]) {
    await eventually(() => encryption(page)).toMatchObject({
      state: 'off',
      reason: 'stripped',
      sends: 'held',
    });
    expect(await page.getByTestId('call-held').getAttribute('data-reason')).toBe('stripped');
  }
  expect(tap.packets).toEqual([]);

  // Who wants to talk all the same says so; it stays off.
  for (const page of [atAnn, atBob]) await page.getByTestId('call-talk-anyway').click();
  await hear(atAnn, atBob);
  expect(await encryption(atAnn)).toMatchObject({ state: 'off', reason: 'stripped', sends: 'clear' });
});
