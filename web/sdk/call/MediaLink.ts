import type { types } from 'mediasoup-client';
import { DuetApiError } from '../DuetApiError.ts';
import { Emitter } from '../Emitter.ts';
import { type CallStats, receivedStats } from './callStats.ts';
import { IcePatience } from './IcePatience.ts';
import type { Kind } from './LocalTracks.ts';

type Ask = <T>(type: string, payload?: object) => Promise<T>;
type OpenedTransport = Required<
  Pick<types.TransportOptions, 'id' | 'iceParameters' | 'iceCandidates' | 'dtlsParameters'>
>;
type Consumed = { consumerId: string; producerId: string; kind: Kind; rtpParameters: types.RtpParameters };

type MediaLinkEvents = {
  /** A track of the other person came, or went (null). */
  remote: { kind: Kind; track: MediaStreamTrack | null };
  /** It cannot be used any more: the way to the server is lost, or the server did not answer. Make another one. */
  broken: undefined;
};

/** One layer is plenty between two people; the server caps what it takes in as well. */
const VIDEO_ENCODING: types.RtpEncodingParameters = { maxBitrate: 1_200_000 };

/**
 * One set of media transports to the server and what runs over them. Never mended beyond an ICE restart: after a
 * rejoin or `media:restart` it is closed and a new one made.
 *
 * ICE and DTLS come up while it still rings (`warm`): the sender is prepared with its encoding switched off and
 * announced to the server only once `allow()` was called, so nothing of the person is sent before the answer.
 */
export class MediaLink extends Emitter<MediaLinkEvents> {
  readonly #ask: Ask;
  readonly #ready: Promise<void>;
  readonly #producers = new Map<Kind, Promise<types.Producer>>();
  readonly #consuming = new Set<string>();
  readonly #consumers = new Map<string, types.Consumer>();
  readonly #gate = Promise.withResolvers<void>();
  #device: types.Device | undefined;
  #send: types.Transport | undefined;
  #recv: types.Transport | undefined;
  #isAllowed = false;
  #closed = false;

  constructor(ask: Ask, iceServers: Promise<RTCIceServer[]>) {
    super();
    this.#ask = ask;
    this.#ready = this.#open(iceServers);
    // Whoever needs it waits for it and sees the error as well.
    this.#ready.catch(() => this.#break());
  }

  /** Brings ICE and DTLS up both ways, with a sender that stays silent until `allow()`. */
  async warm(track: MediaStreamTrack): Promise<void> {
    await this.#ready;
    if (this.#closed) return;
    this.#warmReceiver();
    void this.produce('audio', track).catch(() => undefined);
  }

  /** The call was answered: what was prepared is sent. */
  allow(): void {
    this.#isAllowed = true;
    this.#gate.resolve();
  }

  /** Sends a track; one of a kind. A second one of the same kind replaces the first. */
  async produce(kind: Kind, track: MediaStreamTrack): Promise<void> {
    await this.#ready;
    const running = this.#producers.get(kind);
    if (running) return void (await (await running).replaceTrack({ track }));
    const made = this.#produce(kind, track);
    this.#producers.set(kind, made);
    made.catch((error) => {
      this.#producers.delete(kind);
      this.#breakIfLost(error);
    });
    await made;
  }

  /** Stops or goes on sending, without giving the producer up. */
  async setPaused(kind: Kind, paused: boolean): Promise<void> {
    const producer = await this.#producers.get(kind);
    if (!producer || producer.closed) return;

    if (paused) producer.pause();
    else producer.resume();
    await this.#ask(paused ? 'media:pause' : 'media:resume', { id: producer.id });
  }

  async stopProducing(kind: Kind): Promise<void> {
    const producing = this.#producers.get(kind);
    this.#producers.delete(kind);
    const producer = await producing?.catch(() => undefined);
    if (!producer || producer.closed) return;
    producer.close();
    await this.#ask('media:close', { id: producer.id }).catch(() => undefined);
  }

  /** Plays what the other person produces. */
  async consume(producerId: string): Promise<void> {
    // It may be told of twice, on joining and as news.
    if (this.#consuming.has(producerId)) return;
    this.#consuming.add(producerId);
    await this.#ready;
    if (!this.#device || !this.#recv) return;
    await this.#consume(producerId, this.#device, this.#recv).catch((error) => this.#breakIfLost(error));
  }

  async #consume(producerId: string, device: types.Device, recv: types.Transport): Promise<void> {
    const answer = await this.#ask<Consumed>('media:consume', {
      producerId,
      rtpCapabilities: device.recvRtpCapabilities,
    });
    const consumer = await recv.consume({
      id: answer.consumerId,
      producerId: answer.producerId,
      kind: answer.kind,
      rtpParameters: answer.rtpParameters,
    });
    this.#consumers.set(producerId, consumer);
    await this.#ask('media:resume', { id: answer.consumerId });
    this.emit('remote', { kind: answer.kind, track: consumer.track });
  }

  /** The other's producer is gone. */
  drop(producerId: string): void {
    const consumer = this.#consumers.get(producerId);
    this.#consuming.delete(producerId);
    if (!consumer) return;
    this.#consumers.delete(producerId);
    consumer.close();
    this.emit('remote', { kind: consumer.kind, track: null });
  }

  /** What the transports counted so far; nothing of a transport that was closed meanwhile. */
  async stats(): Promise<CallStats> {
    return receivedStats(await countsOf(this.#recv), await countsOf(this.#send));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.clear();
    this.#gate.reject(new Error('closed'));
    this.#gate.promise.catch(() => undefined);
    this.#send?.close();
    this.#recv?.close();
  }

  /** A refusal is an answer; no answer means that nobody knows what the server has of it. */
  #breakIfLost(error: unknown): void {
    if (error instanceof DuetApiError && error.isTemporary) this.#break();
  }

  #break(): void {
    if (!this.#closed) this.emit('broken', undefined);
  }

  async #open(iceServers: Promise<RTCIceServer[]>): Promise<void> {
    // Loaded on the first call: a page that only shows people needs none of it.
    const [{ Device }, { rtpCapabilities }, servers, send, recv] = await Promise.all([
      import('mediasoup-client'),
      this.#ask<{ rtpCapabilities: types.RtpCapabilities }>('media:capabilities'),
      iceServers,
      this.#ask<OpenedTransport>('media:open', { direction: 'send' }),
      this.#ask<OpenedTransport>('media:open', { direction: 'recv' }),
    ]);
    const device = await Device.factory();
    await device.load({ routerRtpCapabilities: rtpCapabilities });
    if (this.#closed) return;
    this.#device = device;
    this.#send = this.#wire(device.createSendTransport({ ...pickOpened(send), iceServers: servers }));
    this.#recv = this.#wire(device.createRecvTransport({ ...pickOpened(recv), iceServers: servers }));
    this.#send.on('produce', ({ kind, rtpParameters }, done, failed) => {
      this.#gate.promise
        .then(() =>
          this.#ask<{ producerId: string }>('media:produce', {
            transportId: this.#send?.id,
            kind,
            rtpParameters: withoutSwitches(rtpParameters),
          }),
        )
        .then(({ producerId }) => done({ id: producerId }), failed);
    });
  }

  #wire(transport: types.Transport): types.Transport {
    const patience = new IcePatience({
      restart: async () => {
        const { iceParameters } = await this.#ask<{ iceParameters: types.IceParameters }>(
          'media:restart_ice',
          {
            transportId: transport.id,
          },
        );
        await transport.restartIce({ iceParameters });
      },
      giveUp: () => this.#break(),
    });
    transport.on('connect', ({ dtlsParameters }, done, failed) => {
      this.#ask('media:connect', { transportId: transport.id, dtlsParameters }).then(done, failed);
    });
    transport.on('connectionstatechange', (state) => patience.note(state));
    transport.observer.once('close', () => patience.close());
    return transport;
  }

  async #produce(kind: Kind, track: MediaStreamTrack): Promise<types.Producer> {
    if (!this.#send) throw new Error('closed');
    const base: types.RtpEncodingParameters = kind === 'video' ? { ...VIDEO_ENCODING } : {};
    const producer = await this.#send.produce({
      track,
      encodings: [{ ...base, active: this.#isAllowed }],
      codecOptions: kind === 'audio' ? { opusFec: true, opusDtx: false } : { videoGoogleStartBitrate: 600 },
      // Tracks belong to LocalTracks.
      stopTracks: false,
    });
    await switchOn(producer.rtpSender);
    return producer;
  }

  /**
   * Consumes a stream that does not exist, on this side only: it makes the browser bring the receiving transport up,
   * which mediasoup-client otherwise does with the first real consumer.
   */
  #warmReceiver(): void {
    const opus = this.#device?.recvRtpCapabilities.codecs?.find(
      (codec) => codec.mimeType.toLowerCase() === 'audio/opus',
    );
    if (!opus) return;
    void this.#recv
      ?.consume({
        id: 'warm',
        producerId: 'warm',
        kind: 'audio',
        rtpParameters: {
          mid: 'warm',
          codecs: [
            {
              mimeType: 'audio/opus',
              payloadType: opus.preferredPayloadType ?? 100,
              clockRate: 48_000,
              channels: 2,
            },
          ],
          headerExtensions: [],
          encodings: [{ ssrc: 1 }],
          rtcp: { cname: 'warm', reducedSize: true },
        },
      })
      .catch(() => undefined);
  }
}

function pickOpened(opened: OpenedTransport): OpenedTransport {
  const { id, iceParameters, iceCandidates, dtlsParameters } = opened;
  return { id, iceParameters, iceCandidates, dtlsParameters };
}

/** `active` is between the browser and us; the server is told of what is sent. */
function withoutSwitches(rtpParameters: types.RtpParameters): types.RtpParameters {
  const encodings = rtpParameters.encodings?.map(({ active, ...encoding }) => encoding);
  return { ...rtpParameters, encodings };
}

/** Lets a sender that was prepared silently send. */
async function switchOn(sender: RTCRtpSender | undefined): Promise<void> {
  const parameters = sender?.getParameters();
  if (!sender || !parameters?.encodings.some((encoding) => encoding.active === false)) return;
  for (const encoding of parameters.encodings) encoding.active = true;
  await sender.setParameters(parameters);
}

/** A transport that closes while it is asked has nothing to say; it is closed under us whenever media is re-made. */
async function countsOf(transport: types.Transport | undefined): Promise<RTCStatsReport | undefined> {
  if (!transport || transport.closed) return undefined;
  try {
    return await transport.getStats();
  } catch (error) {
    if (transport.closed) return undefined;
    throw error;
  }
}
