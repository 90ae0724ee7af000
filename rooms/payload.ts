/**
 * Payloads of messages: MessagePack (its specification of 2017) as Colyseus' SDK writes it, decoded as what a stranger may
 * have written. Not by msgpackr, as Colyseus does, because that knows extensions that make objects which hold each other,
 * regular expressions and functions of what a message says: a few hundred bytes of those keep a process busy for hours. Of
 * its extensions two are written by the SDK and understood here: `undefined`, and records.
 */

/** Far deeper than any message is. */
const MAX_DEPTH = 64;
const EXTENSION = { undefined: 0x00, record: 0x72 };
/** Formats from here to 0x7f stand for a record that was defined before, where one was. */
const FIRST_RECORD = 0x40;

/** Decodes a payload; undefined where there is none. Throws for what is no such payload, in time that its length bounds. */
export function decodePayload(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  const reader = new PayloadReader(bytes);
  const value = reader.value();
  if (!reader.isAtEnd) throw new RangeError('something follows the payload');
  return value;
}

class PayloadReader {
  readonly #bytes: Buffer;
  #at = 0;
  #depth = 0;
  /** The keys of a record, by the format that stands for it. */
  #records: Map<number, readonly string[]> | undefined;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  value(): unknown {
    const format = this.#bytes[this.#take(1)]!;
    if (format < FIRST_RECORD) return format;
    if (format < 0x80) {
      const keys = this.#records?.get(format);
      return keys === undefined ? format : this.#record(keys);
    }
    if (format < 0x90) return this.#map(format & 0x0f);
    if (format < 0xa0) return this.#array(format & 0x0f);
    if (format < 0xc0) return this.#text(format & 0x1f);
    if (format >= 0xe0) return format - 0x100;
    return this.#ofFormat(format);
  }

  /** What has a format byte to itself. */
  #ofFormat(format: number): unknown {
    switch (format) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#raw(this.#uint(1));
      case 0xc5:
        return this.#raw(this.#uint(2));
      case 0xc6:
        return this.#raw(this.#uint(4));
      case 0xca:
        return this.#bytes.readFloatBE(this.#take(4));
      case 0xcb:
        return this.#bytes.readDoubleBE(this.#take(8));
      case 0xcc:
        return this.#uint(1);
      case 0xcd:
        return this.#uint(2);
      case 0xce:
        return this.#uint(4);
      case 0xcf:
        return safe(this.#bytes.readBigUInt64BE(this.#take(8)));
      case 0xd0:
        return this.#bytes.readInt8(this.#take(1));
      case 0xd1:
        return this.#bytes.readInt16BE(this.#take(2));
      case 0xd2:
        return this.#bytes.readInt32BE(this.#take(4));
      case 0xd3:
        return safe(this.#bytes.readBigInt64BE(this.#take(8)));
      case 0xd4:
        return this.#extension();
      case 0xd9:
        return this.#text(this.#uint(1));
      case 0xda:
        return this.#text(this.#uint(2));
      case 0xdb:
        return this.#text(this.#uint(4));
      case 0xdc:
        return this.#array(this.#uint(2));
      case 0xdd:
        return this.#array(this.#uint(4));
      case 0xde:
        return this.#map(this.#uint(2));
      case 0xdf:
        return this.#map(this.#uint(4));
      default:
        throw unknown(format);
    }
  }

  /** Where the next `length` bytes begin. */
  #take(length: number): number {
    const from = this.#at;
    if (length > this.#bytes.length - from) throw new RangeError('the payload is cut off');
    this.#at += length;
    return from;
  }

  #uint(size: 1 | 2 | 4): number {
    const from = this.#take(size);
    if (size === 1) return this.#bytes[from]!;
    return size === 2 ? this.#bytes.readUInt16BE(from) : this.#bytes.readUInt32BE(from);
  }

  #text(length: number): string {
    const from = this.#take(length);
    return this.#bytes.toString('utf8', from, this.#at);
  }

  #raw(length: number): Buffer {
    const from = this.#take(length);
    return this.#bytes.subarray(from, this.#at);
  }

  #array(length: number): unknown[] {
    const values: unknown[] = [];
    this.#enter(length);
    for (let i = 0; i < length; i++) values.push(this.value());
    this.#depth--;
    return values;
  }

  #map(length: number): Record<string, unknown> {
    const entries: Record<string, unknown> = {};
    this.#enter(length);
    for (let i = 0; i < length; i++) {
      const key = this.#key(this.value());
      entries[key] = this.value();
    }
    this.#depth--;
    return entries;
  }

  #record(keys: readonly string[]): Record<string, unknown> {
    const entries: Record<string, unknown> = {};
    this.#enter(keys.length);
    for (const key of keys) entries[key] = this.value();
    this.#depth--;
    return entries;
  }

  #extension(): unknown {
    const type = this.#uint(1);
    const data = this.#uint(1);
    if (type === EXTENSION.undefined) return undefined;
    if (type !== EXTENSION.record || data < FIRST_RECORD || data >= 0x80) throw unknown(type);
    const keys = this.value();
    if (!Array.isArray(keys)) throw new TypeError('a record has keys');
    const known = keys.map((key) => this.#key(key));
    this.#records ??= new Map();
    this.#records.set(data, known);
    return this.#record(known);
  }

  #key(value: unknown): string {
    if (typeof value !== 'string' || value === '__proto__') throw new TypeError('a key is a name');
    return value;
  }

  /** Each of `count` values takes a byte at least: no more can be announced than there may be. */
  #enter(count: number): void {
    if (count > this.#bytes.length - this.#at || this.#depth === MAX_DEPTH)
      throw new RangeError('too much is announced');
    this.#depth++;
  }
}

function safe(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError('too large a number');
  return number;
}

const unknown = (format: number) => new TypeError(`0x${format.toString(16)} is not understood`);
