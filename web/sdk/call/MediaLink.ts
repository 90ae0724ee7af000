import type { types } from 'mediasoup-client';
import { DuetApiError } from '../DuetApiError.ts';
import { Emitter } from '../Emitter.ts';
import type { FrameCrypto } from '../e2ee/FrameCrypto.ts';
import { type CallStats, receivedStats } from './callStats.ts';
import { IcePatience } from './IcePatience.ts';
import type { Kind } from './LocalTracks.ts';

export type Ask = <T>(type: string, payload?: object) => Promise<T>;
type OpenedTransport = Required<
  Pick<types.TransportOptions, 'id' | 'iceParameters' | 'iceCandidates' | 'dtlsParameters'>
>;
type Consumed = { consumerId: string; producerId: string; kind: Kind; rtpParameters: types.RtpParameters };
type Prepared = { producerId: string; rtpParameters: types.RtpParameters };

type MediaLinkEvents = {
  /** A track of the other person came, or went (null). */
  remote: { kind: Kind; track: MediaStreamTrack | null };
  /** It cannot be used any more: the way is lost, or the server does not do its part. Make another one. */
  broken: undefined;
};

/** One stream of the other's: the browser keeps its tracks in step with each other. */
const PEER_STREAM = 'peer';
const EAR = 'ear';
/** One layer is plenty between two people; the server caps what it takes in as well. */
const VIDEO_ENCODING: types.RtpEncodingParameters = { maxBitrate: 1_200_000 };

/**
 * One set of media transports to the server and what runs over them. Never mended beyond an ICE restart: after a
 * rejoin or `media:restart` it is closed and a new one made.
 *
 * Everything comes up while it still rings (`warm`): ICE and DTLS, a sender that sends silence (the server drops it
 * until the answer), and a receiver for what the other will send. From the answer on the server forwards; the sound
 * of the microphone follows with `produce`.
 */
export class MediaLink extends Emitter<MediaLinkEvents> {
  readonly #ask: Ask;
  readonly #ready: Promise<void>;
  readonly #producers = new Map<Kind, Promise<types.Producer>>();
  readonly #consuming = new Set<string>();
  readonly #consumers = new Map<string, types.Consumer>();
  /** Silence in the place of the microphone, and a receiver for the other's voice, from `warm` on. */
  #silent: MediaStreamTrack | undefined;
  #ear: Promise<types.Consumer> | undefined;
  #device: types.Device | undefined;
  #frames: FrameCrypto | undefined;
  #send: types.Transport | undefined;
  #recv: types.Transport | undefined;
  #isAllowed = false;
  #closed = false;

  /** `frames`: what everything goes through that is sent or received; undefined for nothing. */
  constructor(ask: Ask, iceServers: Promise<RTCIceServer[]>, frames: Promise<FrameCrypto | undefined>) {
    super();
    this.#ask = ask;
    this.#ready = this.#open(iceServers, frames);
    // Whoever needs it waits for it and sees the error as well.
    this.#ready.catch(() => this.#break());
  }

  /** Gets ready both ways, sending silence in the place of `track` until `produce`. */
  async warm(track: MediaStreamTrack): Promise<void> {
    await this.#ready;
    if (this.#closed || this.#producers.has('audio')) return;
    const silent = track.clone();
    silent.enabled = false;
    this.#silent = silent;
    await this.#begin('audio', silent);
  }

  /** The call was answered. */
  allow(): void {
    this.#isAllowed = true;
  }

  /** Sends a track; one of a kind. A second one of the same kind replaces the first. */
  async produce(kind: Kind, track: MediaStreamTrack): Promise<void> {
    await this.#ready;
    const running = this.#producers.get(kind);
    if (!running) return await this.#begin(kind, track);
    await (await running).replaceTrack({ track });
    if (kind === 'audio') this.#silent?.stop();
  }

  /** The first of a kind. Known as such before anything is waited for: silence must not come after the microphone. */
  async #begin(kind: Kind, track: MediaStreamTrack): Promise<void> {
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
    await this.#ask(paused ? 'media:pause' : 'media:resume', { id: producer.id }).catch((error) => {
      this.#breakIfLost(error);
      throw error;
    });
  }

  async stopProducing(kind: Kind): Promise<void> {
    const producing = this.#producers.get(kind);
    this.#producers.delete(kind);
    const producer = await producing?.catch(() => undefined);
    if (!producer || producer.closed) return;
    producer.close();
    await this.#ask('media:close', { id: producer.id }).catch(() => undefined);
  }

  /** Plays what the other person produces. `consumerId`: the prepared receiver gets it already. */
  async consume(producerId: string, consumerId?: string): Promise<void> {
    // It may be told of twice, on joining and as news.
    if (this.#consuming.has(producerId)) return;
    this.#consuming.add(producerId);
    await this.#ready;
    const ear = consumerId === undefined ? undefined : await this.#ear;
    if (ear) {
      this.#consumers.set(producerId, ear);
      // It may have come and gone before it was of use: a voice that was there already had a receiver of its own.
      this.emit('remote', { kind: 'audio', track: ear.track });
      return;
    }
    if (!this.#device || !this.#recv) return;
    await this.#consume(producerId, this.#device, this.#recv).catch((error) => {
      // Refused, it may be told of again.
      this.#consuming.delete(producerId);
      this.#breakIfLost(error);
    });
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
      onRtpReceiver: (receiver) => this.#frames?.attachReceiver(receiver, answer.kind),
      streamId: PEER_STREAM,
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
    this.#silent?.stop();
    this.#send?.close();
    this.#recv?.close();
  }

  /**
   * A refusal for good is an answer. Where there is no answer, or none for the moment (a worker that was too slow), nobody
   * would ask again, and one of the two would hear nothing.
   */
  #breakIfLost(error: unknown): void {
    if (error instanceof DuetApiError && error.isTemporary) this.#break();
  }

  #break(): void {
    if (!this.#closed) this.emit('broken', undefined);
  }

  async #open(iceServers: Promise<RTCIceServer[]>, frames: Promise<FrameCrypto | undefined>): Promise<void> {
    // Loaded on the first call: a page that only shows people needs none of it.
    const [{ Device }, { rtpCapabilities }, servers, send, recv, crypto] = await Promise.all([
      import('mediasoup-client'),
      this.#ask<{ rtpCapabilities: types.RtpCapabilities }>('media:capabilities'),
      iceServers,
      this.#ask<OpenedTransport>('media:open', { direction: 'send' }),
      this.#ask<OpenedTransport>('media:open', { direction: 'recv' }),
      frames,
    ]);
    const device = await Device.factory();
    await device.load({ routerRtpCapabilities: withoutLevels(rtpCapabilities) });
    if (this.#closed) return;
    this.#device = device;
    this.#frames = crypto;
    this.#send = this.#wire(device.createSendTransport({ ...pickOpened(send), iceServers: servers }));
    this.#recv = this.#wire(device.createRecvTransport({ ...pickOpened(recv), iceServers: servers }));
    this.#send.on('produce', ({ kind, rtpParameters }, done, failed) => {
      this.#announce(kind, rtpParameters).then((id) => done({ id }), failed);
    });
  }

  /** Tells the server what will be sent; before the answer, also how the other will be heard. → the producer's id. */
  async #announce(kind: Kind, rtpParameters: types.RtpParameters): Promise<string> {
    const transportId = this.#send?.id;
    if (this.#isAllowed) {
      const made = await this.#ask<{ producerId: string }>('media:produce', {
        transportId,
        kind,
        rtpParameters,
      });
      return made.producerId;
    }
    const rtpCapabilities = this.#device?.recvRtpCapabilities;
    const prepared = await this.#ask<Prepared>('media:prepare', {
      transportId,
      rtpParameters,
      rtpCapabilities,
    });
    this.#ear = this.#openEar(prepared.rtpParameters);
    this.#ear.catch(() => this.#break());
    return prepared.producerId;
  }

  /** A receiver whose SSRC nobody knows yet: what comes under its mid is its own. Played as soon as it comes. */
  async #openEar(rtpParameters: types.RtpParameters): Promise<types.Consumer> {
    if (!this.#recv) throw new Error('closed');
    const ear = await this.#recv.consume({
      id: EAR,
      producerId: EAR,
      kind: 'audio',
      rtpParameters,
      streamId: PEER_STREAM,
      onRtpReceiver: (receiver) => this.#frames?.attachReceiver(receiver, 'audio'),
    });
    this.emit('remote', { kind: 'audio', track: ear.track });
    return ear;
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
    transport.on('connect', ({ dtlsParameters }, done) => {
      // Not waited for: what follows goes to the same place by the same way, and comes after it.
      this.#ask('media:connect', { transportId: transport.id, dtlsParameters }).catch(() => this.#break());
      done();
    });
    transport.on('connectionstatechange', (state) => patience.note(state));
    transport.observer.once('close', () => patience.close());
    return transport;
  }

  async #produce(kind: Kind, track: MediaStreamTrack): Promise<types.Producer> {
    if (!this.#send) throw new Error('closed');
    const base: types.RtpEncodingParameters = kind === 'video' ? { ...VIDEO_ENCODING } : {};
    return await this.#send.produce({
      track,
      encodings: [base],
      codecOptions: kind === 'audio' ? { opusFec: true, opusDtx: false } : { videoGoogleStartBitrate: 600 },
      // Tracks belong to LocalTracks.
      stopTracks: false,
      onRtpSender: (sender) => this.#frames?.attachSender(sender, kind),
    });
  }
}

/** How loud somebody speaks is nobody's business on the way: it is not said in RTP's headers, which stay readable. */
function withoutLevels(capabilities: types.RtpCapabilities): types.RtpCapabilities {
  const headerExtensions = capabilities.headerExtensions?.filter(({ uri }) => !uri.endsWith('audio-level'));
  return { ...capabilities, headerExtensions };
}

function pickOpened(opened: OpenedTransport): OpenedTransport {
  const { id, iceParameters, iceCandidates, dtlsParameters } = opened;
  return { id, iceParameters, iceCandidates, dtlsParameters };
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
