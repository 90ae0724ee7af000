import type { FrameKind } from './clearBytes.ts';
import type { ReceiveMode } from './FrameOpener.ts';
import type { SendMode } from './FrameSealer.ts';
import type { FrameCounts, FromFrameWorker, ToFrameWorker, TransformOptions } from './frameWorkerMessages.ts';

/** Frames of an earlier key may still come for so long: rotating loses none. */
const OVERLAP_MS = 10_000;
/** How long it is waited for what is only loaded beforehand. */
const PRELOAD_MS = 5_000;

/** The page's end of the worker that frames go through. One for a call, over all its transports. */
export class FrameCrypto {
  static #isCached = false;
  readonly #worker: Worker;
  #overlap: ReturnType<typeof setTimeout> | undefined;

  /** Whether this browser can do it: transforms in a worker, and the curves that keys are agreed on with. */
  static async isSupported(): Promise<boolean> {
    if (typeof RTCRtpScriptTransform === 'undefined' || !globalThis.crypto?.subtle) return false;
    try {
      await Promise.all([
        crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']),
        crypto.subtle.generateKey('X25519', false, ['deriveBits']),
      ]);
      return true;
    } catch {
      return false;
    }
  }

  /** With a worker that runs; undefined where none does before `signal`: its file does not come, or a policy forbids it. */
  static async open(
    onCounts: (counts: FrameCounts) => void,
    signal: AbortSignal,
  ): Promise<FrameCrypto | undefined> {
    let worker: Worker;
    try {
      worker = new Worker(new URL('./frameWorker.ts', import.meta.url), { type: 'module' });
    } catch {
      return undefined;
    }
    const { promise, resolve } = Promise.withResolvers<boolean>();
    worker.onmessage = ({ data }: MessageEvent<FromFrameWorker>) => {
      if (data.type === 'ready') resolve(true);
      else onCounts(data);
    };
    worker.onerror = () => resolve(false);
    const giveUp = () => resolve(false);
    signal.addEventListener('abort', giveUp);
    const isReady = await promise;
    signal.removeEventListener('abort', giveUp);
    if (isReady) return new FrameCrypto(worker);
    worker.terminate();
    return undefined;
  }

  /** Has the browser load the worker before there is a call. */
  static async preload(): Promise<void> {
    if (FrameCrypto.#isCached) return;
    const one = await FrameCrypto.open(() => undefined, AbortSignal.timeout(PRELOAD_MS));
    FrameCrypto.#isCached = one !== undefined;
    one?.close();
  }

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  /** Puts the worker into the way of what is sent. Call before anything can be. */
  attachSender(sender: RTCRtpSender, kind: FrameKind): void {
    sender.transform = this.#transform({ direction: 'send', kind });
  }

  /** The same for what is received. */
  attachReceiver(receiver: RTCRtpReceiver, kind: FrameKind): void {
    receiver.transform = this.#transform({ direction: 'receive', kind });
  }

  setModes(send: SendMode, receive: ReceiveMode): void {
    this.#tell({ type: 'modes', send, receive });
  }

  /** From here on everything is encrypted with this key. Never twice with one key: its counter begins at zero. */
  useSendKey(kid: number, baseKey: CryptoKey): void {
    this.#tell({ type: 'sendKey', kid, baseKey });
  }

  /** Frames with this key are opened as well. */
  addEarlyKey(kid: number, baseKey: CryptoKey): void {
    this.#tell({ type: 'receiveKey', kid, baseKey });
  }

  /** Frames with this key are opened; those of earlier keys for a while longer. */
  addReceiveKey(kid: number, baseKey: CryptoKey): void {
    this.#tell({ type: 'receiveKey', kid, baseKey });
    clearTimeout(this.#overlap);
    this.#overlap = setTimeout(() => this.#tell({ type: 'forgetBefore', kid }), OVERLAP_MS);
  }

  close(): void {
    clearTimeout(this.#overlap);
    this.#worker.terminate();
  }

  #transform(options: TransformOptions): RTCRtpScriptTransform {
    return new RTCRtpScriptTransform(this.#worker, options);
  }

  #tell(message: ToFrameWorker): void {
    this.#worker.postMessage(message);
  }
}

/**
 * A byte of the epoch and of which of its keys it is: as few as can be in every header. Epochs are seconds or follow
 * each other, so two keys of one side that are good at the same time differ in it.
 */
export function kidOf(epoch: number, isEarly = false): number {
  return (epoch * 2 + (isEarly ? 0 : 1)) % 256;
}
