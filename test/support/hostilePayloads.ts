/** Payloads that only msgpackr's extensions make of a few bytes what a process is busy with for hours. */

const EXTENSION = { identity: 0x69, pointer: 0x70, regExp: 0x78 };

function uint32(n: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(n);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([0xda, bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

/** An array of `size` pairs, each of which holds the one before twice: written out it would be 2^size long. */
export function graph(size: number): Buffer {
  const named = (n: number, value: Buffer) =>
    Buffer.concat([Buffer.from([0xd6, EXTENSION.identity]), uint32(n), value]);
  const again = (n: number) => Buffer.concat([Buffer.from([0xd6, EXTENSION.pointer]), uint32(n)]);
  const pairs = Array.from({ length: size }, (_, i) =>
    named(i + 1, Buffer.concat([Buffer.from([0x92]), again(i), again(i)])),
  );
  return Buffer.concat([
    Buffer.from([0xdc, (size + 1) >> 8, (size + 1) & 0xff]),
    named(0, Buffer.from([0x90])),
    ...pairs,
  ]);
}

/** A regular expression, compiled as it is decoded. */
export function regExp(pattern: string, flags: string): Buffer {
  return Buffer.concat([Buffer.from([0xd4, EXTENSION.regExp, 0, 0x92]), text(pattern), text(flags)]);
}
