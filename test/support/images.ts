import { deflateSync } from 'node:zlib';
import sharp from 'sharp';

/** A picture that no two seeds share. */
export function picture(
  seed: number,
  format: 'jpeg' | 'png' | 'webp' = 'jpeg',
  width = 640,
  height = 480,
): Promise<Buffer> {
  const noise = Buffer.alloc(12 * 9 * 3);
  let state = seed * 7919 + 13;
  for (let i = 0; i < noise.length; i++) {
    state = (state * 1103515245 + 12345) % 2147483648;
    noise[i] = state >> 16;
  }
  return sharp(noise, { raw: { width: 12, height: 9, channels: 3 } })
    .resize(width, height, { fit: 'fill' })
    .toFormat(format)
    .toBuffer();
}

/** A PNG that claims a size and holds (nearly) nothing. */
export function hollowPng(width: number, height: number, extra: Buffer[] = []): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    ...extra,
    chunk('IDAT', deflateSync(Buffer.alloc(1000))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** A WebP of two small frames on a canvas of any size, with any number of more frames. */
export async function animation(side: number, moreFrames = 0): Promise<Buffer> {
  const two = Buffer.alloc(64 * 128 * 3);
  two.fill(200, 0, 64 * 64 * 3);
  const bytes = await sharp(two, { raw: { width: 64, height: 128, channels: 3, pageHeight: 64 } })
    .webp({ loop: 0 })
    .toBuffer();
  // RFC 9649, section 2.7: VP8X is the first chunk, the canvas in it from its fifth byte on, each side less one.
  bytes.writeUIntLE(side - 1, 24, 3);
  bytes.writeUIntLE(side - 1, 27, 3);
  const frame = bytes.subarray(bytes.indexOf('ANMF'), bytes.lastIndexOf('ANMF'));
  const whole = Buffer.concat([bytes, ...Array.from({ length: moreFrames }, () => frame)]);
  whole.writeUInt32LE(whole.length - 8, 4);
  return whole;
}

/** A lossless WebP that claims a size and holds nothing. RFC 9649, section 3.4: each side less one, in 14 bits. */
export function hollowWebp(side: number): Buffer {
  const bytes = Buffer.alloc(32);
  bytes.write('RIFF....WEBPVP8L....\x2f', 'latin1');
  bytes.writeUInt32LE(24, 4);
  bytes.writeUInt32LE(12, 16);
  bytes.writeUInt32LE((side - 1) * 0x4001, 21);
  return bytes;
}

/** A JPEG with so many empty segments, and so many scans beyond its own. */
export async function manyParted(segments: number, scans: number): Promise<Buffer> {
  const bytes = await sharp(await picture(1))
    .jpeg({ progressive: true })
    .toBuffer();
  const lastScan = bytes.subarray(bytes.lastIndexOf(Buffer.from([0xff, 0xda])), -2);
  return Buffer.concat([
    bytes.subarray(0, 2),
    Buffer.alloc(4 * segments, Buffer.from([0xff, 0xe2, 0, 2])),
    bytes.subarray(2, -2),
    ...Array.from({ length: scans }, () => lastScan),
    bytes.subarray(-2),
  ]);
}

/** A chunk of a PNG (W3C PNG, section 5.3). */
export function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const out = Buffer.alloc(8 + data.length + 4);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), 8 + data.length);
  return out;
}

function crc32(data: Buffer): number {
  let crc = ~0;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
