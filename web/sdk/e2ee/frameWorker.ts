/**
 * The worker through which every frame of a call goes (`RTCRtpScriptTransform`, W3C WebRTC Encoded Transform): what is
 * sent after it was encoded, what is received before it is decoded. It knows nothing of calls, only modes and keys.
 */
import type { Bytes } from './bytes.ts';
import { FrameOpener } from './FrameOpener.ts';
import { FrameSealer } from './FrameSealer.ts';
import type { FromFrameWorker, ToFrameWorker, TransformOptions } from './frameWorkerMessages.ts';

type Frame = { data: ArrayBuffer };
type Transformer = {
  options: TransformOptions;
  readable: ReadableStream<Frame>;
  writable: WritableStream<Frame>;
  generateKeyFrame?: () => Promise<unknown>;
  sendKeyFrameRequest?: () => Promise<unknown>;
};
/** The worker's global scope, as far as it is used: its types cannot be had beside those of the page. */
type Scope = {
  onmessage: ((event: { data: ToFrameWorker }) => void) | null;
  onrtctransform: ((event: { transformer: Transformer }) => void) | null;
  postMessage(message: FromFrameWorker): void;
};

/** How often the page is told of what came. */
const TELL_MS = 500;

const scope = globalThis as unknown as Scope;
const sealer = new FrameSealer();
const opener = new FrameOpener();
const transformers = new Set<Transformer>();
let queue: Promise<void> = Promise.resolve();
let toldAtMs = 0;

scope.onmessage = ({ data }) => {
  // In order: a mode must not overtake the key that it needs.
  queue = queue.then(() => take(data)).catch(() => undefined);
};

scope.onrtctransform = ({ transformer }) => {
  const { direction, kind } = transformer.options;
  transformers.add(transformer);
  const turn = direction === 'send' ? sealer.seal.bind(sealer) : opener.open.bind(opener);
  const through = new TransformStream<Frame, Frame>({
    async transform(frame, controller) {
      const given: Bytes = new Uint8Array(frame.data);
      const turned = await turn(kind, given);
      if (direction === 'receive') tell();
      if (turned === undefined) return;
      if (turned !== given) frame.data = turned.buffer;
      controller.enqueue(frame);
    },
  });
  transformer.readable
    .pipeThrough(through)
    .pipeTo(transformer.writable)
    // The sender or receiver is gone.
    .catch(() => undefined)
    .finally(() => transformers.delete(transformer));
};

// Whoever asked for this file does not learn otherwise that it came.
scope.postMessage({ type: 'ready' });

async function take(message: ToFrameWorker): Promise<void> {
  switch (message.type) {
    case 'sendKey':
      return await sealer.useKey(message.kid, message.baseKey);
    case 'receiveKey':
      return await opener.addKey(message.kid, message.baseKey);
    case 'forgetBefore':
      return opener.forgetBefore(message.kid);
    case 'modes': {
      const isOther = sealer.mode !== message.send || opener.mode !== message.receive;
      sealer.mode = message.send;
      opener.mode = message.receive;
      if (isOther) await Promise.all([...transformers].map(startAfresh));
    }
  }
}

/** A picture whose frames were held back is missing parts. Only saves time: a decoder asks by itself as well. */
async function startAfresh(transformer: Transformer): Promise<void> {
  if (transformer.options.kind !== 'video') return;
  const ask =
    transformer.options.direction === 'send'
      ? transformer.generateKeyFrame?.()
      : transformer.sendKeyFrameRequest?.();
  await ask?.catch(() => undefined);
}

function tell(): void {
  const nowMs = performance.now();
  if (nowMs - toldAtMs < TELL_MS) return;
  toldAtMs = nowMs;
  scope.postMessage({ type: 'counts', ...opener.counts });
}
