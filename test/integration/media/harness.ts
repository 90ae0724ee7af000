import { SystemClock } from '../../../src/clock.ts';
import { createLog } from '../../../src/log.ts';
import type { CallMedia } from '../../../src/media/CallMedia.ts';
import type { CallMediaPort, MediaPolicy } from '../../../src/media/callMediaPort.ts';
import { MediaWorkers, type MediaWorkersOptions } from '../../../src/media/MediaWorkers.ts';
import { MEDIA_MESSAGES, type MediaMessage } from '../../../src/media/messages.ts';
import type { LiveProducer } from '../../../src/media/PersonMedia.ts';
import { audioParameters, dtlsParameters, videoParameters } from './rtpSamples.ts';

export const ANN = 'ann';
export const BEN = 'ben';

/** What a port was told, in order. */
export type Told =
  | { event: 'added' | 'closed'; userId: string; producerId: string; kind: string; consumerId?: string }
  | { event: 'paused'; userId: string; kind: string; paused: boolean }
  | { event: 'flowing' }
  | { event: 'quality'; userId: string; mos: number; lossRatio: number; audioBps: number; videoBps: number }
  | { event: 'stepped'; userId: string; step: string }
  | { event: 'lost'; cause: string };

export function startWorkers(options: Partial<MediaWorkersOptions> = {}): Promise<MediaWorkers> {
  const log = createLog('silent');
  return MediaWorkers.start({
    count: 1,
    listenIp: '127.0.0.1',
    basePort: 0,
    log,
    clock: new SystemClock(),
    ...options,
  });
}

export async function createCall(
  workers: MediaWorkers,
  policy: MediaPolicy = { audio: true, video: true },
): Promise<{ call: CallMedia; told: Told[] }> {
  const told: Told[] = [];
  const call = await workers.createCall({ people: [ANN, BEN], port: recorder(told), policy });
  return { call, told };
}

export function recorder(told: Told[]): CallMediaPort {
  return {
    producerAdded: (producer: LiveProducer, consumerId) =>
      told.push({ event: 'added', ...producer, ...(consumerId !== undefined && { consumerId }) }),
    producerPaused: ({ userId, kind }, paused) => told.push({ event: 'paused', userId, kind, paused }),
    producerClosed: (producer: LiveProducer) => told.push({ event: 'closed', ...producer }),
    flowing: () => told.push({ event: 'flowing' }),
    quality: (userId, { mos, lossRatio, audioBps, videoBps }) =>
      told.push({ event: 'quality', userId, mos, lossRatio, audioBps, videoBps }),
    videoStepped: (userId, step) => told.push({ event: 'stepped', userId, step }),
    lost: (cause) => told.push({ event: 'lost', cause }),
  };
}

/** A payload as the room's door would hand it on. */
export function parsed<T extends keyof typeof MEDIA_MESSAGES>(type: T, payload: unknown): MediaMessage<T> {
  return MEDIA_MESSAGES[type].parse(payload) as MediaMessage<T>;
}

export const AUDIO = (ssrc?: number) => parseRtp('audio', audioParameters(ssrc));
export const VIDEO = (ssrc?: number) => parseRtp('video', videoParameters(ssrc));
export const DTLS = () =>
  parsed('media:connect', { transportId: crypto.randomUUID(), dtlsParameters: dtlsParameters() })
    .dtlsParameters;

/** What a person who plays everything that the router has would send. */
export const CAPABILITIES = (call: CallMedia) =>
  parsed('media:consume', { producerId: crypto.randomUUID(), rtpCapabilities: call.rtpCapabilities })
    .rtpCapabilities;

function parseRtp(kind: 'audio' | 'video', rtpParameters: unknown) {
  return parsed('media:produce', { transportId: crypto.randomUUID(), kind, rtpParameters }).rtpParameters;
}

/** Waits until `check` holds; fails with `what` after `timeoutMs`. */
export async function until(what: string, check: () => boolean, timeoutMs = 20_000): Promise<void> {
  const startedAt = performance.now();
  while (!check()) {
    if (performance.now() - startedAt > timeoutMs) throw new Error(`Not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The code that a promise is refused with; `done` when it is not. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'done',
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );
}
