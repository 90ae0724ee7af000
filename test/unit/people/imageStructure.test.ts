import { deflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { structureOf } from '../../../src/people/imageStructure.ts';
import { animation, chunk, hollowPng, hollowWebp, manyParted, picture } from '../../support/images.ts';

const profile = (bytes: number) =>
  chunk('iCCP', Buffer.concat([Buffer.from('P3\0\0', 'latin1'), deflateSync(Buffer.alloc(bytes, 1))]));
const text = (type: string) => chunk(type, Buffer.from('Comment\0x'));

test('a PNG is decoded without its texts, and with one profile of a usual size', () => {
  const usual = profile(100_000);
  const decoded = (...extra: Buffer[]) => structureOf(hollowPng(100, 100, extra)).decodable;
  expect(decoded(text('tEXt'), usual, text('zTXt'), text('iTXt'), usual)).toEqual(decoded(usual));
  expect(decoded(profile(5_000_000), usual)).toEqual(decoded());
  expect(decoded(chunk('iCCP', Buffer.from('no profile')))).toEqual(decoded());
});

test('parts are counted up to the end of the image, and no further', async () => {
  const isTooIntricate = (bytes: Buffer) => structureOf(bytes).isTooIntricate;
  for (const format of ['jpeg', 'png', 'webp'] as const) {
    const trailed = Buffer.concat([await picture(1, format), Buffer.alloc(50_000)]);
    expect(isTooIntricate(trailed)).toBe(false);
  }
  expect(isTooIntricate(await manyParted(1_000, 0))).toBe(true);
  expect(isTooIntricate(await manyParted(0, 40))).toBe(true);
  expect(isTooIntricate(await animation(100, 1_000))).toBe(true);
});

test('a WebP is held whole twice if it moves, once if it is lossless', async () => {
  const heldWhole = (bytes: Buffer) => structureOf(bytes).heldWhole;
  expect(heldWhole(await animation(100))).toBe(2);
  expect(heldWhole(hollowWebp(100))).toBe(1);
  expect(heldWhole(await picture(1, 'webp'))).toBe(0);
});
