import type { types } from 'mediasoup';
import type { CallRouter } from './CallRouter.ts';
import type { CallMediaPort, MediaPolicy } from './callMediaPort.ts';
import { MAX_VIDEO_ENCODINGS, maxIncomingBps } from './codecs.ts';
import type { CallPeople, PersonMedia } from './PersonMedia.ts';
import type { Way } from './QualityMeter.ts';
import { STEP_VIDEO_BPS, type VideoStep, VideoSteps } from './VideoSteps.ts';

type Port = Pick<CallMediaPort, 'videoStepped'>;

/**
 * Keeps what each person sends within what is allowed and what the other's network carries: `VideoSteps` decides,
 * here it is done to transports and consumers.
 */
export class VideoFit {
  readonly #people: CallPeople;
  readonly #router: CallRouter;
  readonly #port: Port;
  readonly #steps = new VideoSteps((listenerId, step) => this.#take(listenerId, step));
  /** Consumers that their clients have not paused; a step up resumes no other. */
  readonly #wanted = new WeakSet<types.Consumer>();
  #policy: MediaPolicy = { audio: false, video: false };

  constructor(people: CallPeople, router: CallRouter, port: Port) {
    this.#people = people;
    this.#router = router;
    this.#port = port;
  }

  /** What may be sent from now on. */
  setPolicy(policy: MediaPolicy): void {
    this.#policy = policy;
    for (const person of this.#people.all) this.limit(person);
  }

  /** Tells a person's sender the most that it may send, by REMB. */
  limit(person: PersonMedia): void {
    const transport = person.legs.get('send')?.transport;
    if (transport === undefined) return;
    const step = this.#steps.stepOf(this.#people.other(person.userId).userId);
    const mostBps = maxIncomingBps({ video: false }) + STEP_VIDEO_BPS[step];
    const limitBps = Math.min(maxIncomingBps(this.#policy), mostBps);
    this.#router.tell('limit', () => transport.setMaxIncomingBitrate(limitBps));
  }

  /** Takes one round of measuring of what comes to a person; null when nothing did. */
  judge(listenerId: string, way: Way | null): void {
    const hasVideo = this.#people.get(listenerId).consumers.some(({ kind }) => kind === 'video');
    this.#steps.judge(listenerId, way, hasVideo);
  }

  /** A listener's connection is gone or another: the other's video is in full again, and nobody has to be told. */
  renew(listenerId: string): void {
    this.#steps.forget(listenerId);
    this.limit(this.#people.other(listenerId));
  }

  /** Notes that a client paused its consumer; it stays so until the client resumes it. */
  paused(consumer: types.Consumer): void {
    this.#wanted.delete(consumer);
  }

  /** Notes that a client resumed its consumer; whether it may flow now, or comes back with the network. */
  resumed(listenerId: string, consumer: types.Consumer): boolean {
    this.#wanted.add(consumer);
    return consumer.kind !== 'video' || this.#steps.stepOf(listenerId) !== 'off';
  }

  /** The other sends less, so that what is sent fits; `off` also passes nothing of it on. */
  #take(listenerId: string, step: VideoStep): void {
    this.limit(this.#people.other(listenerId));
    const video = this.#people.get(listenerId).consumers.find(({ kind }) => kind === 'video');
    if (video === undefined) return;
    if (step === 'off') this.#router.tell('step', () => video.pause());
    else if (this.#wanted.has(video)) this.#router.tell('step', () => video.resume());
    if (video.type === 'simulcast' && step !== 'off') {
      const spatialLayer = step === 'full' ? MAX_VIDEO_ENCODINGS - 1 : 0;
      this.#router.tell('layers', () => video.setPreferredLayers({ spatialLayer }));
    }
    this.#port.videoStepped(listenerId, step);
  }
}
