import type { FrameKind } from './clearBytes.ts';
import type { ReceiveMode } from './FrameOpener.ts';
import type { SendMode } from './FrameSealer.ts';
import type { Key } from './keyTypes.ts';

/** What the page tells the worker. Base keys are HKDF keys that cannot be read. */
export type ToFrameWorker =
  | { type: 'sendKey'; kid: number; baseKey: Key }
  | { type: 'receiveKey'; kid: number; baseKey: Key }
  /** Frames of earlier keys have all come by now. */
  | { type: 'forgetBefore'; kid: number }
  | { type: 'modes'; send: SendMode; receive: ReceiveMode };

/** Frames since the last key. */
export type FrameCounts = { opened: number; refused: number };

/** What the worker tells the page: that it runs, and what comes while anything does. */
export type FromFrameWorker = { type: 'ready' } | ({ type: 'counts' } & FrameCounts);

/** What a sender's or receiver's transform is made with. */
export type TransformOptions = { direction: 'send' | 'receive'; kind: FrameKind };
