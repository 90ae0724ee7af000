export type FrameKind = 'audio' | 'video';

/** Frame tag, start code and size of the picture of a VP8 key frame (RFC 6386 section 9.1). */
const KEY_FRAME_BYTES = 10;

/**
 * How many bytes at the start of a frame stay as they are; they are authenticated, not encrypted. Of Opus none. Of VP8
 * what is read on the way: the SFU reads the first bit to know a key frame, a receiver's depacketiser the size of the
 * picture in a key frame as well (RFC 7741 section 4.3).
 */
export function clearBytes(kind: FrameKind, frame: Uint8Array): number {
  if (kind === 'audio' || frame.length === 0) return 0;
  const isKeyFrame = (frame[0]! & 1) === 0;
  return Math.min(frame.length, isKeyFrame ? KEY_FRAME_BYTES : 1);
}
