/** Reads of a room's message what delivery is judged by, without unpacking the rest. */

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
