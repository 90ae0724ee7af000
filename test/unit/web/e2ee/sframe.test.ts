/** SFrame against the test vectors of RFC 9605, appendix C (as its working group publishes them). */
import { describe, expect, test } from 'vitest';
import { FrameOpener } from '../../../../web/sdk/e2ee/FrameOpener.ts';
import { FrameSealer } from '../../../../web/sdk/e2ee/FrameSealer.ts';
import { decodeHeader, encodeHeader, SFrameKey, TAG_BYTES } from '../../../../web/sdk/e2ee/sframe.ts';
import vectors from './sframeVectors.json' with { type: 'json' };

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'));
const hex = (given: Uint8Array) => Buffer.from(given).toString('hex');
const baseKey = (raw: Uint8Array<ArrayBuffer>) =>
  crypto.subtle.importKey('raw', raw, 'HKDF', false, ['deriveKey', 'deriveBits']);

describe('headers', () => {
  test('are those of the RFC, both ways', () => {
    expect(vectors.header).toHaveLength(289);
    for (const [kid, ctr, encoded] of vectors.header as [string, string, string][]) {
      const header = { kid: BigInt(`0x${kid}`), ctr: BigInt(`0x${ctr}`) };
      expect(hex(encodeHeader(header.kid, header.ctr))).toBe(encoded);
      const frame = bytes(encoded + '00'.repeat(TAG_BYTES));
      expect(decodeHeader(frame)).toEqual({ ...header, length: encoded.length / 2 });
    }
  });

  test('of what is no frame are none', () => {
    expect(decodeHeader(new Uint8Array())).toBeUndefined();
    expect(decodeHeader(bytes(`99${'00'.repeat(TAG_BYTES + 3)}`))).toBeUndefined();
  });
});

describe('AES_128_GCM_SHA256_128', () => {
  const { kid, ctr, base_key, metadata, pt, ct } = vectors.aes128gcm;

  test('encrypts and decrypts as the RFC does', async () => {
    const key = await SFrameKey.derive(await baseKey(bytes(base_key)), BigInt(kid));
    expect(hex(await key.encrypt(BigInt(ctr), bytes(pt), bytes(metadata)))).toBe(ct);
    const frame = bytes(ct);
    expect(hex(await key.decrypt(decodeHeader(frame)!, frame, bytes(metadata)))).toBe(pt);
  });

  test('opens nothing of which a bit was changed', async () => {
    const key = await SFrameKey.derive(await baseKey(bytes(base_key)), BigInt(kid));
    const opens = (frame: Uint8Array<ArrayBuffer>, meta: Uint8Array<ArrayBuffer>) =>
      key.decrypt(decodeHeader(bytes(ct))!, frame, meta).then(
        () => true,
        () => false,
      );
    for (let i = 0; i < ct.length / 2; i++) {
      const changed = bytes(ct);
      changed[i]! ^= 1;
      expect([i, await opens(changed, bytes(metadata))]).toEqual([i, false]);
    }
    expect(await opens(bytes(ct), bytes('00'))).toBe(false);
    expect(await opens(bytes(ct), bytes(metadata))).toBe(true);
  });
});

describe('frames of a call', () => {
  const OPUS = bytes('7c'.repeat(60));
  /** The start of a VP8 key frame of 640 by 480, and of another frame. */
  const KEY_FRAME = bytes(`10020 09d012a8002e001${'ab'.repeat(80)}`.replaceAll(' ', ''));
  const DELTA_FRAME = bytes(`d1${'cd'.repeat(80)}`);

  async function pair(kid = 7, raw = new Uint8Array(32).fill(3)) {
    const [sealer, opener] = [new FrameSealer(), new FrameOpener()];
    await sealer.useKey(kid, await baseKey(raw));
    await opener.addKey(kid, await baseKey(raw));
    sealer.mode = 'encrypted';
    opener.mode = 'encrypted';
    return { sealer, opener };
  }

  test('come out as they went in; of VP8 what is read on the way stays, of Opus nothing', async () => {
    const { sealer, opener } = await pair();
    for (const [kind, frame, clear] of [
      ['audio', OPUS, 0],
      ['video', KEY_FRAME, 10],
      ['video', DELTA_FRAME, 1],
    ] as const) {
      const sealed = (await sealer.seal(kind, frame))!;
      expect(hex(sealed.subarray(0, clear))).toBe(hex(frame.subarray(0, clear)));
      const rest = hex(frame.subarray(clear));
      for (let i = 0; i + 8 <= rest.length; i += 8) expect(hex(sealed)).not.toContain(rest.slice(i, i + 16));
      expect(hex((await opener.open(kind, sealed))!)).toBe(hex(frame));
    }
    expect(opener.counts).toEqual({ opened: 3, refused: 0 });
  });

  test('whose clear bytes were changed are refused', async () => {
    const { sealer, opener } = await pair();
    const sealed = (await sealer.seal('video', KEY_FRAME))!;
    sealed[6]! ^= 1;
    expect(await opener.open('video', sealed)).toBeUndefined();
  });

  test('never use a counter twice, and are opened once', async () => {
    const { sealer, opener } = await pair();
    const sealed = await Promise.all(Array.from({ length: 300 }, () => sealer.seal('audio', OPUS)));
    const counters = sealed.map((frame) => decodeHeader(frame!)!.ctr);
    expect(new Set(counters).size).toBe(300);
    // Out of order is fine, again is not.
    for (const frame of sealed.toReversed()) expect(await opener.open('audio', frame!)).toBeDefined();
    for (const frame of sealed) expect(await opener.open('audio', frame!)).toBeUndefined();
    expect(opener.counts).toEqual({ opened: 300, refused: 300 });
  });

  test('far behind the newest are refused', async () => {
    const { sealer, opener } = await pair();
    const first = (await sealer.seal('audio', OPUS))!;
    for (let i = 0; i < 1_100; i++) await opener.open('audio', (await sealer.seal('audio', OPUS))!);
    expect(await opener.open('audio', first)).toBeUndefined();
  });

  test('of the key before are opened while the next is in use, and no more when it is dropped', async () => {
    const { sealer, opener } = await pair(7);
    const before = [(await sealer.seal('audio', OPUS))!, (await sealer.seal('audio', OPUS))!] as const;
    const next = new Uint8Array(32).fill(9);
    await opener.addKey(8, await baseKey(next));
    await sealer.useKey(8, await baseKey(next));
    expect(await opener.open('audio', (await sealer.seal('audio', OPUS))!)).toBeDefined();
    expect(await opener.open('audio', before[0])).toBeDefined();
    // The one after it has begun to come about meanwhile.
    const early = new Uint8Array(32).fill(11);
    await opener.addKey(9, await baseKey(early));
    opener.forgetBefore(8);
    expect(await opener.open('audio', before[1])).toBeUndefined();
    expect(await opener.open('audio', (await sealer.seal('audio', OPUS))!)).toBeDefined();
    await sealer.useKey(9, await baseKey(early));
    expect(await opener.open('audio', (await sealer.seal('audio', OPUS))!)).toBeDefined();
    // Of one that is gone itself nobody knows what came before it.
    opener.forgetBefore(7);
    expect(await opener.open('audio', (await sealer.seal('audio', OPUS))!)).toBeDefined();
  });

  test('are held back until it is decided, and go as they are only when that was decided', async () => {
    const { sealer, opener } = { sealer: new FrameSealer(), opener: new FrameOpener() };
    expect(await sealer.seal('audio', OPUS)).toBeUndefined();
    expect(await opener.open('audio', OPUS)).toBeUndefined();
    sealer.mode = 'encrypted';
    expect(await sealer.seal('audio', OPUS)).toBeUndefined();
    sealer.mode = 'clear';
    opener.mode = 'clear';
    expect(await sealer.seal('audio', OPUS)).toBe(OPUS);
    expect(await opener.open('audio', OPUS)).toBe(OPUS);
    // Clear frames are not played where encrypted ones are due.
    opener.mode = 'encrypted';
    expect(await opener.open('audio', OPUS)).toBeUndefined();
  });
});
