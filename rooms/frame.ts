/** The frames of messages as Colyseus' SDK writes them (`getMessageBytes`), before their payloads are decoded (`payload.ts`). */
import { Protocol } from '@colyseus/core';
import { decode } from '@colyseus/schema';

export interface Message {
  /** Of a request; absent where nothing is waited for. */
  requestId: number | undefined;
  /** As handlers are looked up by it; empty where no handler can have it: here none takes bytes. */
  type: string;
  /** MessagePack, not looked at yet. */
  payload: Buffer;
}

/** The bits of a frame's first byte that are its kind (`PROTOCOL_CODE_MASK` of Colyseus). */
const PROTOCOL_CODE_MASK = 0x1f;
/** Types of messages are short names; longer ones are not even looked up. */
const MAX_TYPE_BYTES = 64;

/** Whether a frame brings a message for a handler. Those of Colyseus' own (join, ping, leave) do not. */
export function bringsMessage(frame: Buffer): boolean {
  const code = frame[0]! & PROTOCOL_CODE_MASK;
  return code === Protocol.ROOM_REQUEST || code === Protocol.ROOM_DATA || code === Protocol.ROOM_DATA_BYTES;
}

/**
 * What the frame of a message says. Undefined where its type is none that a handler could have: a number, or a short
 * string whose length lies inside the frame.
 */
export function readMessage(frame: Buffer): Message | undefined {
  const it = { offset: 1 };
  const code = frame[0]! & PROTOCOL_CODE_MASK;
  const requestId = code === Protocol.ROOM_REQUEST ? decode.number(frame, it) : undefined;
  if (it.offset >= frame.length) return undefined;
  const isText = decode.stringCheck(frame, it);
  if (isText && !isShortText(frame, it.offset)) return undefined;
  const type = isText ? shortText(frame, it) : String(decode.number(frame, it));
  const payload = frame.subarray(it.offset);
  return { requestId, type: code === Protocol.ROOM_DATA_BYTES ? '' : type, payload };
}

function isShortText(frame: Buffer, at: number): boolean {
  const prefix = frame[at]!;
  if (prefix < 0xc0) return (prefix & 0x1f) <= frame.length - at - 1;
  return prefix === 0xd9 && frame[at + 1]! <= Math.min(MAX_TYPE_BYTES, frame.length - at - 2);
}

/** Not read by Colyseus, which says of each text that is none what is wrong with it, on the console. */
function shortText(frame: Buffer, it: { offset: number }): string {
  const prefix = frame[it.offset]!;
  const from = it.offset + (prefix < 0xc0 ? 1 : 2);
  it.offset = from + (prefix < 0xc0 ? prefix & 0x1f : frame[it.offset + 1]!);
  return frame.toString('utf8', from, it.offset);
}
