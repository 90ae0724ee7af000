/** Writes and reads of messages what delivery is judged by, without packing and unpacking the rest. */

/** Before the time at which an event was due; a text that fits wherever base64url does. */
const MARK = 'due-at_';
const MARK_BYTES = Buffer.from(MARK);
const DIGITS = 12;
export const RECORD_BYTES = 10;

/** A text that tells when its event was due: microseconds of the measuring process. */
export function mark(dueUs: number): string {
  return MARK + Math.round(dueUs).toString().padStart(DIGITS, '0');
}

/** The time that a frame is marked with, whatever it is packed in; undefined where there is none. */
export function dueUsOf(frame: Buffer): number | undefined {
  const at = frame.indexOf(MARK_BYTES);
  if (at < 0) return undefined;
  let dueUs = 0;
  for (let i = at + MARK.length; i < at + MARK.length + DIGITS; i++) dueUs = dueUs * 10 + frame[i]! - 48;
  return dueUs;
}

/** An order to publish an event: for whom, and when it is due. */
export function recordOf(index: number, dueUs: number): Buffer {
  const record = Buffer.allocUnsafe(RECORD_BYTES);
  record.writeUInt16LE(index, 0);
  record.writeDoubleLE(dueUs, 2);
  return record;
}

export function readRecord(bytes: Buffer): { index: number; dueUs: number } {
  return { index: bytes.readUInt16LE(0), dueUs: bytes.readDoubleLE(2) };
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
