import type { HttpResponse } from 'uWebSockets.js';
import { describe, expect, test } from 'vitest';
import { BodyReader, OpenBodies } from '../../../src/http/body.ts';
import { UploadSpool } from '../../../src/http/UploadSpool.ts';
import { FakeClock } from '../../support/FakeClock.ts';

const MIB = 1024 * 1024;

function setUp() {
  const clock = new FakeClock();
  const bodies = new OpenBodies(clock, 1_000);
  const open = (capBytes: number) => {
    let onData: (chunk: ArrayBuffer, isLast: boolean) => void = () => {};
    const res = {
      onData: (handler: typeof onData) => {
        onData = handler;
      },
    } as unknown as HttpResponse;
    const taps: string[] = [];
    const tap = { isHeld: false, hold: () => taps.push('hold'), release: () => taps.push('release') };
    const reader = new BodyReader(res, capBytes, bodies, tap);
    const outcome = reader.read().then(
      (body) => body.toString(),
      (error) => error.code,
    );
    return {
      reader,
      taps,
      outcome,
      give: (text: string, isLast = false) => onData(new TextEncoder().encode(text).buffer, isLast),
    };
  };
  return { clock, bodies, open };
}

describe('BodyReader', () => {
  test('puts the pieces together', async () => {
    const { open, bodies } = setUp();
    const { give, outcome, reader } = open(100);
    give('hel');
    expect(reader.complete).toBe(false);
    give('lo', true);
    expect(await outcome).toBe('hello');
    expect({ complete: reader.complete, open: bodies.size }).toEqual({ complete: true, open: 0 });
  });

  test('refuses at the cap, and counts what comes after it', async () => {
    const { open, bodies } = setUp();
    const { give, outcome, reader } = open(4);
    give('1234');
    give('5');
    give('6', true);
    expect(await outcome).toBe('PAYLOAD_TOO_LARGE');
    expect({ pieces: reader.pieces, open: bodies.size }).toEqual({ pieces: 3, open: 0 });
  });

  test('a body must be there in time, however it trickles', async () => {
    const { open, clock } = setUp();
    const { give, outcome } = open(100);
    for (let i = 0; i < 10; i++) {
      give('x');
      clock.advance(150);
    }
    expect(await outcome).toBe('REQUEST_TIMEOUT');
  });

  test('what is let go of holds nothing and is waited for no longer', () => {
    const { open, clock, bodies } = setUp();
    const { reader, give } = open(100);
    give('abc');
    reader.discard();
    reader.discard();
    give('def', true);
    clock.advance(5_000);
    expect({ complete: reader.complete, open: bodies.size }).toEqual({ complete: false, open: 0 });
  });
});

describe('OpenBodies', () => {
  test('whoever is still in time is waited for, whatever uWebSockets.js holds of it', () => {
    const { open, clock } = setUp();
    const { taps, give } = open(100);
    clock.advance(600);
    expect(taps).toEqual(['hold', 'release', 'hold', 'release']);
    give('x', true);
    clock.advance(1_000);
    expect(taps).toHaveLength(4);
  });

  test('all bodies together hold so much and no more; room that is given back can be taken again', async () => {
    const { open } = setUp();
    const piece = 'x'.repeat(MIB);
    const many = Array.from({ length: 256 }, () => open(10 * MIB));
    for (const one of many) one.give(piece);
    const late = open(10 * MIB);
    late.give(piece);
    expect(await late.outcome).toBe('UNAVAILABLE');
    many[0]!.reader.discard();
    const next = open(10 * MIB);
    next.give(piece, true);
    expect((await next.outcome).length).toBe(MIB);
    const another = open(10 * MIB);
    another.give(piece, true);
    expect((await another.outcome).length).toBe(MIB);
  });
});

describe('UploadSpool', () => {
  test('takes a quarter of an hour at most, however steadily it comes', async () => {
    const clock = new FakeClock();
    const bodies = new OpenBodies(clock, 10_000);
    let onData: (chunk: ArrayBuffer, isLast: boolean) => void = () => {};
    const res = { onData: (handler: typeof onData) => (onData = handler) } as unknown as HttpResponse;
    const tap = { isHeld: false, hold: () => {}, release: () => {} };
    const rules = { types: [], maxBytes: MIB };
    const spool = new UploadSpool(res, rules, bodies, tap, { userId: 'ann' });
    const outcome = spool.receive('image/jpeg').then(
      () => 'arrived',
      (error) => error.code,
    );
    const dripFor = (minutes: number) => {
      for (let sec = 0; sec < minutes * 60; sec += 5) {
        onData(new ArrayBuffer(1), false);
        clock.advance(5_000);
      }
    };
    dripFor(14);
    expect(spool.isArriving).toBe(true);
    dripFor(2);
    expect(spool.isArriving).toBe(false);
    expect(await outcome).toBe('REQUEST_TIMEOUT');
  });
});
