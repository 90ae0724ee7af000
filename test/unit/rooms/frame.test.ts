/** What a stranger may write into the frame of a message. */
import { getMessageBytes, Protocol } from '@colyseus/core';
import { Packr } from 'msgpackr';
import { describe, expect, test, vi } from 'vitest';
import { bringsMessage, readMessage } from '../../../rooms/frame.ts';
import { decodePayload } from '../../../rooms/payload.ts';
import { graph, regExp } from '../../support/hostilePayloads.ts';

/** As the SDK packs, and as others do. */
const PACKERS = [new Packr(), new Packr({ useRecords: false })];
/** More shapes than records have numbers, some of them again and again. */
const shapes = Array.from({ length: 300 }, (_, i) => ({
  [`a${i % 100}`]: i,
  b: { [`c${i % 7}`]: [i % 128] },
}));

test('a frame says its type, its payload and, of a request, its number', () => {
  const said = getMessageBytes.raw(Protocol.ROOM_DATA, 'inbox:ack', { seq: 5 });
  expect(bringsMessage(said)).toBe(true);
  const message = readMessage(said)!;
  expect(message).toMatchObject({ type: 'inbox:ack', requestId: undefined });
  expect(decodePayload(message.payload)).toEqual({ seq: 5 });
  const asked = Buffer.concat([Buffer.from([Protocol.ROOM_REQUEST, 7]), said.subarray(1)]);
  expect(readMessage(asked)).toMatchObject({ type: 'inbox:ack', requestId: 7 });
  const bytes = Buffer.concat([Buffer.from([Protocol.ROOM_DATA_BYTES]), said.subarray(1)]);
  expect(readMessage(bytes)).toMatchObject({ type: '' });
  expect(bringsMessage(Buffer.from([Protocol.JOIN_ROOM]))).toBe(false);
});

test('a type that is no text is one that nobody handles, and nothing is printed', () => {
  const printed = vi.spyOn(console, 'error');
  const read = readMessage(Buffer.from([Protocol.ROOM_DATA, 0xa3, 0x80, 0x81, 0x82, 0xc0]))!;
  expect(read).toMatchObject({ type: '\ufffd\ufffd\ufffd', requestId: undefined });
  expect(decodePayload(read.payload)).toBe(null);
  const long = 'x'.repeat(40);
  const named = Buffer.concat([
    Buffer.from([Protocol.ROOM_DATA, 0xd9, 40]),
    Buffer.from(long),
    Buffer.from([1]),
  ]);
  expect(readMessage(named)).toMatchObject({ type: long, payload: Buffer.from([1]) });
  expect(printed).not.toHaveBeenCalled();
});

describe('a payload', () => {
  test.each([
    undefined,
    null,
    true,
    'é'.repeat(40),
    'x'.repeat(70_000),
    [],
    {},
    { seq: 2 ** 40, after: -1, share: 1.5, none: undefined, deep: [[{ a: [1, 2, 3] }]] },
    Array.from({ length: 70_000 }, (_, i) => i),
    Object.fromEntries(Array.from({ length: 70 }, (_, i) => [`key ${i}`, { i }])),
    Buffer.alloc(300),
    [
      0,
      31,
      32,
      63,
      64,
      127,
      128,
      255,
      256,
      65_535,
      65_536,
      2 ** 32,
      2 ** 53 - 1,
      -1,
      -32,
      -33,
      -129,
      -32_769,
      -(2 ** 40),
    ],
    shapes,
  ])('is decoded as it was packed: %#', (value) => {
    for (const packr of PACKERS) expect(decodePayload(packr.pack(value))).toEqual(value);
  });

  test('may be missing', () => {
    expect(decodePayload(Buffer.alloc(0))).toBeUndefined();
  });

  test.each([
    ['a graph of shared objects', graph(4)],
    ['the same with more behind it', Buffer.concat([graph(60), Buffer.from([0])])],
    ['a regular expression', regExp('\\p{RGI_Emoji}'.repeat(500), 'v')],
    ['a record of two bytes', Buffer.from([0xd5, 0x72, 0x40, 0x00, 0x90])],
    ['a record whose keys are no names', Buffer.from([0xd4, 0x72, 0x40, 0x91, 0x01, 0x01])],
    ['a record without keys', Buffer.from([0xd4, 0x72, 0x40, 0x01])],
    ['a map that would have a prototype', PACKERS[1]!.pack(JSON.parse('{"__proto__":{}}'))],
    ['a date', PACKERS[0]!.pack(new Date(0))],
    ['a number beyond what is exact', PACKERS[0]!.pack(2n ** 60n)],
    ['an extension of any length', Buffer.from([0xc7, 1, 0x62, 0])],
    ['what is no format', Buffer.from([0xc1])],
    ['a second value', Buffer.from([0x90, 0])],
    ['more values than there are bytes', Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff])],
    ['a longer text than there are bytes', Buffer.from([0xdb, 0xff, 0xff, 0xff, 0xff, 0x61])],
    ['a length that is cut off', Buffer.from([0xda])],
    ['half an undefined', Buffer.from([0xd4, 0x00])],
    ['nothing where something was announced', Buffer.from([0x91])],
  ])('is refused: %s', (_, bytes) => {
    expect(() => decodePayload(bytes)).toThrow();
  });

  test('is refused when nested too deeply', () => {
    const nested = (levels: number) => Buffer.concat([Buffer.alloc(levels, 0x91), Buffer.from([0])]);
    expect(() => decodePayload(nested(64))).not.toThrow();
    expect(() => decodePayload(nested(65))).toThrow('too much');
    expect(() => decodePayload(nested(60_000))).toThrow('too much');
  });
});
