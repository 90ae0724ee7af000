/** Two devices agree on keys through a server that the test plays, honest or not. */
import { beforeEach, describe, expect, test } from 'vitest';
import { fromBase64Url, toBase64Url } from '../../../../web/sdk/e2ee/bytes.ts';
import { DeviceKey } from '../../../../web/sdk/e2ee/DeviceKey.ts';
import {
  type Agreement,
  type EarlyKeys,
  KeyAgreement,
  type Refusal,
} from '../../../../web/sdk/e2ee/KeyAgreement.ts';
import { type KeyMessage, readKeyMessage } from '../../../../web/sdk/e2ee/keyMessages.ts';
import { safetyWords } from '../../../../web/sdk/e2ee/safetyWords.ts';
import { SFrameKey } from '../../../../web/sdk/e2ee/sframe.ts';
import { MemoryVault } from '../../../../web/sdk/e2ee/Vault.ts';
import { EVEN_WORDS, ODD_WORDS } from '../../../../web/sdk/e2ee/wordList.ts';

const CALL = 'call-1';
let nowSec = 1_800_000_000;

/** One side as the test sees it. */
class Side {
  readonly sent: KeyMessage[] = [];
  readonly early: EarlyKeys[] = [];
  readonly agreed: Agreement[] = [];
  readonly confirmed: number[] = [];
  readonly refused: Refusal[] = [];
  readonly device: DeviceKey;
  readonly agreement: KeyAgreement;
  taken = 0;

  static async open(userId: string, peerId: string, isCaller: boolean, callId = CALL): Promise<Side> {
    return new Side(await DeviceKey.of(userId, new MemoryVault()), userId, peerId, isCaller, callId);
  }

  /** `again`: the same device with the page reloaded. */
  constructor(device: DeviceKey, userId: string, peerId: string, isCaller: boolean, callId = CALL) {
    this.device = device;
    this.agreement = new KeyAgreement({
      callId,
      userId,
      peerId,
      isCaller,
      device,
      nowSec: () => nowSec,
      send: (message) => void this.sent.push(structuredClone(message)),
    });
    this.agreement.on('early', (early) => this.early.push(early));
    this.agreement.on('agreed', (agreed) => this.agreed.push(agreed));
    this.agreement.on('confirmed', ({ epoch }) => this.confirmed.push(epoch));
    this.agreement.on('refused', (why) => this.refused.push(why));
  }

  /** What it has sent since the last asking. */
  take(): KeyMessage[] {
    const taken = this.sent.slice(this.taken);
    this.taken = this.sent.length;
    return taken;
  }
}

type Relay = (message: KeyMessage) => KeyMessage[];
const honest: Relay = (message) => [message];

/** Carries messages until nobody has anything to say. */
async function carry(one: Side, other: Side, relay: Relay = honest): Promise<void> {
  for (let rounds = 0; rounds < 20; rounds++) {
    const [fromOne, fromOther] = [one.take(), other.take()];
    if (fromOne.length + fromOther.length === 0) return;
    for (const message of fromOne.flatMap(relay)) await other.agreement.hear(message);
    for (const message of fromOther.flatMap(relay)) await one.agreement.hear(message);
  }
  throw new Error('they never stop');
}

/** Whether what one side encrypts is opened by the other, and the other way round. */
async function understand(one: EarlyKeys, other: EarlyKeys): Promise<boolean> {
  const said = new TextEncoder().encode('hello');
  for (const [send, receive] of [
    [one.sendKey, other.receiveKey],
    [other.sendKey, one.receiveKey],
  ] as const) {
    const frame = await (await SFrameKey.derive(send, 1n)).encrypt(0n, said, new Uint8Array());
    const opener = await SFrameKey.derive(receive, 1n);
    const opened = await opener
      .decrypt({ kid: 1n, ctr: 0n, length: 1 }, new Uint8Array([0x10, ...frame.slice(1)]), new Uint8Array())
      .catch(() => undefined);
    if (opened === undefined || new TextDecoder().decode(opened) !== 'hello') return false;
  }
  return true;
}

let ann: Side;
let bob: Side;

beforeEach(async () => {
  nowSec += 1_000;
  ann = await Side.open('ann', 'bob', true);
  bob = await Side.open('bob', 'ann', false);
});

async function agree(): Promise<void> {
  await Promise.all([ann.agreement.begin(), bob.agreement.begin()]);
  await carry(ann, bob);
}

describe('two devices', () => {
  test('agree on keys and words', async () => {
    await agree();
    expect(ann.sent.map(({ step }) => step)).toEqual(['offer', 'reveal']);
    expect(bob.sent.map(({ step }) => step)).toEqual(['share', 'confirm']);
    const [atAnn, atBob] = [ann.agreed.at(-1)!, bob.agreed.at(-1)!];
    expect(atAnn.words).toHaveLength(4);
    expect(atAnn.words).toEqual(atBob.words);
    expect(atAnn).toMatchObject({ device: bob.device.id, confirmed: false, epoch: atBob.epoch });
    expect(atBob).toMatchObject({ device: ann.device.id, confirmed: true });
    expect(ann.confirmed).toEqual([atAnn.epoch]);
    expect([...ann.refused, ...bob.refused]).toEqual([]);
    expect(await understand(atAnn, atBob)).toBe(true);
  });

  test('have keys before: who answers with the offer alone, who calls with the answer', async () => {
    await Promise.all([ann.agreement.begin(), bob.agreement.begin()]);
    await bob.agreement.hear(ann.take()[0]!);
    expect([bob.early.length, bob.agreed.length]).toEqual([1, 0]);
    await ann.agreement.hear(bob.take()[0]!);
    const [atAnn, atBob] = [ann.early[0]!, bob.early[0]!];
    expect(atAnn.epoch).toBe(atBob.epoch);
    expect(await understand(atAnn, atBob)).toBe(true);
    await carry(ann, bob);
    expect(await understand(ann.agreed[0]!, atBob)).toBe(false);
    expect([ann.early.length, bob.early.length]).toEqual([1, 1]);
  });

  test('have a key a direction, none of which can be read', async () => {
    await agree();
    const { sendKey, receiveKey } = ann.agreed[0]!;
    for (const key of [sendKey, receiveKey]) {
      expect(key.extractable).toBe(false);
      await expect(crypto.subtle.exportKey('raw', key)).rejects.toThrow();
    }
    const frames = await Promise.all(
      [sendKey, receiveKey].map(async (key) =>
        toBase64Url(await (await SFrameKey.derive(key, 1n)).encrypt(0n, new Uint8Array(8), new Uint8Array())),
      ),
    );
    expect(frames[0]).not.toBe(frames[1]);
  });

  test('agree anew when either comes back, and the words are other ones', async () => {
    await agree();
    await ann.agreement.begin();
    await carry(ann, bob);
    expect(bob.agreed).toHaveLength(2);
    expect(bob.agreed[1]!.epoch).toBeGreaterThan(bob.agreed[0]!.epoch);
    expect(bob.agreed[1]!.words).not.toEqual(bob.agreed[0]!.words);

    // Bob's connection is back: the server tells him Ann's last offer, whose key was shown already.
    await bob.agreement.begin();
    await bob.agreement.hear(ann.sent.findLast(({ step }) => step === 'offer')!);
    await carry(ann, bob);
    expect(ann.agreed.at(-1)!.words).toEqual(bob.agreed.at(-1)!.words);
    expect(bob.agreed).toHaveLength(3);
    expect(await understand(ann.agreed.at(-1)!, bob.agreed.at(-1)!)).toBe(true);
    expect([...ann.refused, ...bob.refused]).toEqual([]);
  });

  test('agree after a page was reloaded, and after another device took over', async () => {
    await agree();
    nowSec += 5;
    const reloaded = new Side(ann.device, 'ann', 'bob', true);
    await reloaded.agreement.begin();
    await carry(reloaded, bob);
    expect(await understand(reloaded.agreed[0]!, bob.agreed.at(-1)!)).toBe(true);

    // The clock of the other device is behind.
    nowSec -= 3_600;
    const tablet = await Side.open('ann', 'bob', true);
    await tablet.agreement.begin();
    await carry(tablet, bob);
    expect(bob.agreed.at(-1)).toMatchObject({ device: tablet.device.id });
    expect(await understand(tablet.agreed[0]!, bob.agreed.at(-1)!)).toBe(true);

    const phone = await Side.open('bob', 'ann', false);
    await phone.agreement.begin();
    await phone.agreement.hear(tablet.sent.findLast(({ step }) => step === 'offer')!);
    await carry(tablet, phone);
    expect(tablet.agreed.at(-1)).toMatchObject({ device: phone.device.id });
    expect(await understand(tablet.agreed.at(-1)!, phone.agreed.at(-1)!)).toBe(true);
  });

  test('take an answer that was on its way when the connection was lost for what it is', async () => {
    await Promise.all([ann.agreement.begin(), bob.agreement.begin()]);
    const [offer] = ann.take();
    await bob.agreement.hear(offer!);
    await ann.agreement.hear(bob.take()[0]!);
    const [late] = ann.take();
    expect(late!.step).toBe('reveal');
    await bob.agreement.begin();
    await bob.agreement.hear(offer!);
    await bob.agreement.hear(late!);
    await carry(ann, bob);
    expect([...ann.refused, ...bob.refused]).toEqual([]);
    expect(await understand(ann.agreed.at(-1)!, bob.agreed.at(-1)!)).toBe(true);
  });
});

describe('a server that', () => {
  test.each(['offer', 'share', 'reveal', 'confirm'] as const)(
    'swaps the key of an %s is noticed',
    async (step) => {
      await Promise.all([ann.agreement.begin(), bob.agreement.begin()]);
      const swap: Relay = (message) =>
        message.step === step ? [{ ...message, key: toBase64Url(new Uint8Array(32).fill(9)) }] : [message];
      await carry(ann, bob, swap);
      expect([...ann.refused, ...bob.refused]).toEqual(['signature']);
      expect(bob.agreed).toHaveLength(step === 'confirm' ? 1 : 0);
      expect(ann.confirmed).toEqual([]);
    },
  );

  test.each(['epoch', 'device', 'signature', 'early'] as const)(
    'changes the %s of anything is noticed',
    async (field) => {
      const other = await Side.open('eve', 'bob', true);
      for (const step of ['offer', 'share', 'reveal', 'confirm']) {
        const [one, two] = [await Side.open('ann', 'bob', true), await Side.open('bob', 'ann', false)];
        await Promise.all([one.agreement.begin(), two.agreement.begin()]);
        await carry(one, two, (message) => {
          if (message.step !== step) return [message];
          const changed = {
            epoch: message.epoch + 1,
            device: other.device.id,
            early: toBase64Url(new Uint8Array(32).fill(9)),
            signature: flipped(message.signature),
          };
          return [{ ...message, [field]: changed[field] }];
        });
        // Of another epoch than the one that is under way it is not even looked at.
        expect([step, one.confirmed]).toEqual([step, []]);
        if (step === 'offer') expect(two.early).toEqual([]);
      }
    },
  );

  test('stands in between with a device of its own: agreed with each, but the words and devices differ', async () => {
    const [toAnn, toBob] = [await Side.open('bob', 'ann', false), await Side.open('ann', 'bob', true)];
    await Promise.all([ann, bob, toAnn, toBob].map(({ agreement }) => agreement.begin()));
    await carry(ann, toAnn);
    await carry(toBob, bob);
    expect(ann.agreed[0]!.words).not.toEqual(bob.agreed[0]!.words);
    expect(ann.agreed[0]!.device).not.toBe(bob.device.id);
    expect(bob.agreed[0]!.device).not.toBe(ann.device.id);
  });

  test('reveals another key than was committed to is noticed: it cannot choose one by the words', async () => {
    // Eve plays Ann towards Bob and signs what she likes; only the commitment binds her.
    const eve = await Side.open('ann', 'bob', true);
    await Promise.all([eve.agreement.begin(), bob.agreement.begin()]);
    await bob.agreement.hear(eve.take()[0]!);
    const { isGenuine, signMessage, transcript, NOTHING_BEFORE } = await import(
      '../../../../web/sdk/e2ee/keyMessages.ts'
    );
    const [offer, share] = [eve.sent[0]!, bob.take()[0]!];
    const [eves, bobs] = [
      { callId: CALL, from: 'ann', to: 'bob' },
      { callId: CALL, from: 'bob', to: 'ann' },
    ];
    const before = await transcript(await transcript(NOTHING_BEFORE, offer, eves), share, bobs);
    const key = toBase64Url(new Uint8Array(32).fill(9));
    const reveal = await signMessage(eve.device, { step: 'reveal', epoch: offer.epoch, key }, eves, before);
    expect(await isGenuine(reveal, eves, before)).toBe(true);
    await bob.agreement.hear(reveal);
    expect(bob.refused).toEqual(['commitment']);
    expect(bob.agreed).toEqual([]);
  });

  test('says old things again changes nothing', async () => {
    await agree();
    await ann.agreement.begin();
    await carry(ann, bob);
    const agreed = [ann.agreed.length, bob.agreed.length, ann.confirmed.length];
    for (const message of ann.sent) await bob.agreement.hear(message);
    for (const message of bob.sent) await ann.agreement.hear(message);
    expect([ann.take(), bob.take()]).toEqual([[], []]);
    expect([ann.agreed.length, bob.agreed.length, ann.confirmed.length]).toEqual(agreed);
    expect([...ann.refused, ...bob.refused]).toEqual([]);
  });

  test('brings what was said in another call, or to somebody else, is noticed', async () => {
    for (const [from, callId] of [
      ['ann', 'call-2'],
      ['eve', CALL],
    ] as const) {
      const elsewhere = await Side.open(from, 'bob', true, callId);
      await elsewhere.agreement.begin();
      const one = await Side.open('bob', 'ann', false);
      await one.agreement.hear(elsewhere.take()[0]!);
      expect([one.refused, one.sent]).toEqual([['signature'], []]);
    }
  });

  test('asks for new keys without end is refused: each is a chance for it', async () => {
    await agree();
    for (let i = 0; i < 80; i++) await ann.agreement.begin();
    expect(ann.refused).toContain('too_many');
    expect(ann.sent.filter(({ step }) => step === 'offer')).toHaveLength(64);
  });
});

describe('words', () => {
  test('are two lists of 256, all different, and stand for every byte in its place', () => {
    expect([EVEN_WORDS.length, ODD_WORDS.length]).toEqual([256, 256]);
    expect(new Set([...EVEN_WORDS, ...ODD_WORDS]).size).toBe(512);
    expect([...EVEN_WORDS, ...ODD_WORDS].filter((word) => !/^[a-z]+$/.test(word))).toEqual([]);
    // The example of the list's authors.
    expect(safetyWords(new Uint8Array([0xe5, 0x82, 0x94, 0xf2, 0xe9, 0xa2, 0x27, 0x48]))).toEqual(
      'topmost istanbul pluto vagabond treadmill pacific brackish dictator'.split(' '),
    );
  });
});

test('what is no message of an agreement is not taken for one', () => {
  const given = { step: 'offer', epoch: 1, key: 'k', device: 'd', signature: 's' };
  expect(readKeyMessage({ ...given, userId: 'ann' })).toEqual(given);
  for (const wrong of [
    { step: 'other' },
    { epoch: -1 },
    { epoch: 1.5 },
    { key: 1 },
    { early: 1 },
    { device: undefined },
  ]) {
    expect(readKeyMessage({ ...given, ...wrong })).toBeUndefined();
  }
});

function flipped(given: string): string {
  const bytes = fromBase64Url(given);
  bytes[0]! ^= 1;
  return toBase64Url(bytes);
}
