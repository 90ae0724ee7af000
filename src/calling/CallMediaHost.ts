/**
 * The media of one call over the lives of the workers that serve it: made when somebody first asks, made anew when
 * its worker is lost, closed with the call.
 */
import type { Clock } from '../clock.ts';
import type { CallMedia } from '../media/CallMedia.ts';
import type { CallMediaOptions, CallMediaPort, MediaPolicy } from '../media/callMediaPort.ts';
import type { LiveProducer } from '../media/PersonMedia.ts';
import type { SdpMessage } from '../media/plain/PlainPeer.ts';
import { PlainPeers } from '../media/plain/PlainPeers.ts';
import { type QualitySummary, QualityTally } from '../media/QualityTally.ts';

/** Who is told what people are to know of the media; must not throw. */
export interface CallMediaAudience
  extends Pick<
    CallMediaPort,
    'producerAdded' | 'producerPaused' | 'producerClosed' | 'quality' | 'videoStepped'
  > {
  /** Everything is gone: the clients open new transports, on another worker. */
  restart(): void;
  /** A description for a person's bare RTCPeerConnection. */
  sdp(userId: string, type: SdpMessage, sdp: string): void;
}

export interface CallMediaHostOptions {
  people: readonly [string, string];
  policy: MediaPolicy;
  create: (options: CallMediaOptions) => Promise<CallMedia>;
  clock: Clock;
  audience: CallMediaAudience;
  /** Told when audio goes to both people: once with each worker. Must not throw. */
  flowing: () => void;
}

export class CallMediaHost {
  readonly #options: CallMediaHostOptions;
  readonly #tally = new QualityTally();
  #policy: MediaPolicy;
  #media: Promise<CallMedia> | undefined;
  #made: CallMedia | undefined;
  #plain: PlainPeers | undefined;
  #closed = false;

  constructor(options: CallMediaHostOptions) {
    this.#options = options;
    this.#policy = options.policy;
  }

  /** The call's media, made on first use. Rejects with UNAVAILABLE when no worker can serve it; the next use tries again. */
  get(): Promise<CallMedia> {
    this.#media ??= this.#make();
    return this.#media;
  }

  /** The same for people with a bare RTCPeerConnection. */
  async plain(): Promise<PlainPeers> {
    const media = await this.get();
    const { people, clock, audience } = this.#options;
    this.#plain ??= new PlainPeers({ media, people, clock, say: (...said) => audience.sdp(...said) });
    return this.#plain;
  }

  /** What may flow from now on; in force when this returns. */
  setPolicy(policy: MediaPolicy): void {
    this.#policy = policy;
    this.#made?.setPolicy(policy);
    this.#plain?.changed();
  }

  /** The live producers of one person. */
  producers(userId: string): LiveProducer[] {
    return this.#made?.producers(userId) ?? [];
  }

  /** How the two heard each other so far, by person. */
  get quality(): Record<string, QualitySummary> {
    return this.#tally.summary();
  }

  /** Closes everything of a person whose client is gone. */
  leave(userId: string): void {
    this.#plain?.leave(userId);
    this.#made?.leave(userId);
  }

  close(): void {
    this.#closed = true;
    this.#made?.close();
    this.#forget();
  }

  async #make(): Promise<CallMedia> {
    const { people, create, audience, flowing, clock } = this.#options;
    try {
      const media = await create({
        people,
        policy: this.#policy,
        port: {
          producerAdded: (producer, consumerId) => {
            audience.producerAdded(producer, consumerId);
            this.#plain?.changed();
          },
          producerPaused: (producer, paused) => audience.producerPaused(producer, paused),
          producerClosed: (producer) => {
            audience.producerClosed(producer);
            this.#plain?.changed();
          },
          flowing,
          quality: (userId, quality) => {
            if (this.#tally.add(userId, quality, clock.now())) audience.quality(userId, quality);
          },
          videoStepped: (userId, step) => audience.videoStepped(userId, step),
          lost: () => {
            this.#forget();
            audience.restart();
          },
        },
      });
      media.setPolicy(this.#policy);
      this.#made = media;
      if (this.#closed) media.close();
      return media;
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  #forget(): void {
    this.#plain?.close();
    this.#plain = undefined;
    this.#media = undefined;
    this.#made = undefined;
  }
}
