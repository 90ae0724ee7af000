import type { LiveProducer } from './PersonMedia.ts';
import type { Quality } from './QualityMeter.ts';
import type { VideoStep } from './VideoSteps.ts';
import type { LostCause } from './WorkerProcess.ts';

/** What may be produced and consumed now. Video without audio does not occur. */
export type MediaPolicy = { audio: boolean; video: boolean };

/** What a call's media tells its room. Called synchronously; must not throw. Silent after `close`. */
export type CallMediaPort = {
  /** `consumerId`: the other's client was ready to hear it and does already. */
  producerAdded(producer: LiveProducer, consumerId?: string): void;
  /** Its owner muted it, or no longer. */
  producerPaused(producer: LiveProducer, paused: boolean): void;
  producerClosed(producer: LiveProducer): void;
  /** Once: audio has gone through the SFU to both people. */
  flowing(): void;
  /** How this person hears the other; every two seconds while audio goes to them. */
  quality(userId: string, quality: Quality): void;
  /** How much of the other's video this person gets from now on, for the network's sake. */
  videoStepped(userId: string, step: VideoStep): void;
  /** Once: the worker is gone, and everything here with it. Make a new `CallMedia`; this one refuses everything. */
  lost(cause: LostCause): void;
};

export type CallMediaOptions = {
  /** The two people of the call; nobody else gets anything. */
  people: readonly [string, string];
  port: CallMediaPort;
  /** Default: nothing may be produced yet. */
  policy?: MediaPolicy;
};
