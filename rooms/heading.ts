/** What the frame of a message says of it before it is decoded, as Colyseus writes it (`getMessageBytes`). */
import { Protocol } from '@colyseus/core';
import { decode } from '@colyseus/schema';

export interface Heading {
  /** Of a request; absent where nothing is waited for. */
  requestId: number | undefined;
  /** As handlers are looked up by it. */
  type: string;
}

/** The bits of a frame's first byte that are its kind (`PROTOCOL_CODE_MASK` of Colyseus). */
const PROTOCOL_CODE_MASK = 0x1f;
/** Types of messages are short names; longer ones are not even looked up. */
const MAX_TYPE_BYTES = 64;
/** What Colyseus puts before the types of handlers of bytes. */
const BYTES_PREFIX = '_$b';

/** Whether a frame brings a message for a handler. Those of Colyseus' own (join, ping, leave) do not. */
export function bringsMessage(frame: Buffer): boolean {
  const code = frame[0]! & PROTOCOL_CODE_MASK;
  return code === Protocol.ROOM_REQUEST || code === Protocol.ROOM_DATA || code === Protocol.ROOM_DATA_BYTES;
}

/**
 * What the frame of a message says of it. Undefined where its type is none that a handler could have: a number, or a short
 * string whose length lies inside the frame.
 */
export function readHeading(frame: Buffer): Heading | undefined {
  const it = { offset: 1 };
  const code = frame[0]! & PROTOCOL_CODE_MASK;
  const requestId = code === Protocol.ROOM_REQUEST ? decode.number(frame, it) : undefined;
  if (it.offset >= frame.length) return undefined;
  const isText = decode.stringCheck(frame, it);
  if (isText && !isShortText(frame, it.offset)) return undefined;
  const type = isText ? decode.string(frame, it) : String(decode.number(frame, it));
  return { requestId, type: code === Protocol.ROOM_DATA_BYTES ? `${BYTES_PREFIX}${type}` : type };
}

function isShortText(frame: Buffer, at: number): boolean {
  const prefix = frame[at]!;
  if (prefix < 0xc0) return (prefix & 0x1f) <= frame.length - at - 1;
  return prefix === 0xd9 && frame[at + 1]! <= Math.min(MAX_TYPE_BYTES, frame.length - at - 2);
}
