/** Writes and reads of messages what delivery is judged by, without packing and unpacking the rest. */

/** Before the time at which an event was due; a text that fits wherever base64url does. */
const MARK = 'due-at_';
const DIGITS = 12;
const RECORD_BYTES = 2 + DIGITS;

/** A text that tells when its event was due: microseconds of `deliveryClient.c`'s clock, which fills them in. */
export const UNMARKED = MARK + '0'.repeat(DIGITS);

/** Where in a payload the digits stand. */
export function markAt(payload: Buffer): number {
  return payload.indexOf(MARK) + MARK.length;
}

/** An order to publish an event for the one at `index` in the list of people; the digits follow the two bytes of it. */
export function recordFor(index: number): { record: Buffer; markAt: number } {
  const record = Buffer.alloc(RECORD_BYTES, '0');
  record.writeUInt16LE(index, 0);
  return { record, markAt: 2 };
}

/** The first of such orders and the bytes after it; undefined while it is not whole. */
export function readRecord(bytes: Buffer): { index: number; mark: string; rest: Buffer } | undefined {
  if (bytes.length < RECORD_BYTES) return undefined;
  const digits = bytes.toString('latin1', 2, RECORD_BYTES);
  return { index: bytes.readUInt16LE(0), mark: MARK + digits, rest: bytes.subarray(RECORD_BYTES) };
}

/** MessagePack: a string of three characters, `seq`. */
const SEQ = Buffer.from([0xa3, 0x73, 0x65, 0x71]);
/** The same for `epoch`, which stands beside it in every event of the inbox and nowhere else. */
const EPOCH = Buffer.from([0xa5, 0x65, 0x70, 0x6f, 0x63, 0x68]);

/** The number of an inbox event; undefined for every other frame. */
export function seqOf(frame: Buffer): number | undefined {
  // A payload may say `seq` as well: the event's own comes last, with its epoch.
  const epochAt = frame.lastIndexOf(EPOCH);
  const at = frame.lastIndexOf(SEQ);
  if (at < 0 || epochAt < 0) return undefined;
  return integerAt(frame, at + SEQ.length);
}

/** An unsigned integer of MessagePack. */
function integerAt(frame: Buffer, at: number): number | undefined {
  const kind = frame[at]!;
  if (kind < 0x80) return kind;
  if (kind === 0xcc) return frame.readUInt8(at + 1);
  if (kind === 0xcd) return frame.readUInt16BE(at + 1);
  if (kind === 0xce) return frame.readUInt32BE(at + 1);
  return kind === 0xcb ? frame.readDoubleBE(at + 1) : undefined;
}
