import type { Kind, LocalTracks } from './LocalTracks.ts';
import type { MediaLink } from './MediaLink.ts';

type Host = {
  /** The media link of the moment. */
  media: () => MediaLink | undefined;
  /** Whether the person wants to talk: who is called does from the answer on. */
  wantsToTalk: () => boolean;
  /** Whether a kind may be sent now. */
  maySend: (kind: Kind) => boolean;
  changed: () => void;
};

/** The own microphone and camera in a call: sent when they may be, muted and changed by their owner. */
export class CallDevices {
  readonly #local: LocalTracks;
  readonly #host: Host;
  readonly #failures: Partial<Record<Kind, string>> = {};
  #muted = false;
  #cameraOff = false;
  #closed = false;

  constructor(local: LocalTracks, host: Host) {
    this.#local = local;
    this.#host = host;
    local.on('track', ({ kind, track }) => {
      if (track) delete this.#failures[kind];
      // Off since it was asked for: the light goes out again.
      if (track && kind === 'video' && !this.#wantsVideo()) return local.stop('video');
      if (track && this.#host.maySend(kind)) void this.send(kind);
      this.#host.changed();
    });
    local.on('failed', ({ kind, name }) => {
      this.#failures[kind] = name;
      // Silence in its place: where nothing comes at all, the way would look lost.
      if (kind === 'audio') void this.send(kind);
      this.#host.changed();
    });
    local.on('devices', () => this.#host.changed());
  }

  /** Whether the microphone is muted by its owner. */
  get muted(): boolean {
    return this.#muted;
  }

  /** Whether the camera is off by its owner's choice (in a video call). */
  get cameraOff(): boolean {
    return this.#cameraOff;
  }

  /** The browser's name of why a device cannot be used, or undefined. */
  failure(kind: Kind): string | undefined {
    return this.#failures[kind];
  }

  /** The own track, for a preview or a meter. */
  track(kind: Kind): MediaStreamTrack | null {
    return this.#local.track(kind);
  }

  list(kind: Kind): Promise<MediaDeviceInfo[]> {
    return this.#local.devices(kind);
  }

  /** Changes to another device in the middle of the call. Rejects with the browser's error where the old one goes on. */
  async choose(kind: Kind, deviceId: string): Promise<void> {
    await this.#local.choose(kind, deviceId);
  }

  async setMuted(muted: boolean): Promise<void> {
    this.#muted = muted;
    const track = this.#local.track('audio');
    // At once and without the server's help; what follows only saves packets.
    if (track) track.enabled = !muted;
    this.#host.changed();
    await this.#host
      .media()
      ?.setPaused('audio', muted)
      .catch(() => undefined);
  }

  async setCameraOff(off: boolean): Promise<void> {
    this.#cameraOff = off;
    this.#host.changed();
    if (!off) return await this.startVideo();
    // Given up rather than paused: the other sees that there is no picture instead of the last one for ever.
    this.#local.stop('video');
    await this.#host.media()?.stopProducing('video');
  }

  /** Gets ready to send, even while it still rings. The microphone of who is called stays off until the answer. */
  async prepare(): Promise<void> {
    const microphone = this.#host.wantsToTalk()
      ? await this.#local.open('audio')
      : this.#local.track('audio');
    const track = microphone ?? this.#local.silence();
    const media = this.#host.media();
    if (!track || !media) return;
    if (this.#host.maySend('audio')) await this.send('audio');
    else await media.warm(track).catch(() => undefined);
    if (this.#host.maySend('video')) await this.startVideo();
  }

  /** Both consented: turns the camera on, unless its owner wants it off. */
  async startVideo(): Promise<void> {
    if (this.#cameraOff || this.#closed) return;
    const track = await this.#local.open('video');
    if (track && this.#wantsVideo()) await this.send('video');
  }

  #wantsVideo(): boolean {
    return !this.#cameraOff && this.#host.maySend('video');
  }

  /** Consent was withdrawn: the camera goes off, here and at the server. */
  stopVideo(): void {
    this.#cameraOff = false;
    this.#local.stop('video');
    void this.#host.media()?.stopProducing('video');
  }

  /** Sends the track of a kind, if there is one and it may be sent. */
  async send(kind: Kind): Promise<void> {
    const hasNoMic = kind === 'audio' && this.#failures.audio !== undefined;
    const track = this.#local.track(kind) ?? (hasNoMic ? this.#local.silence() : null);
    const media = this.#host.media();
    if (!track || !media || !this.#host.maySend(kind)) return;
    if (kind === 'audio') track.enabled = !this.#muted;
    try {
      await media.produce(kind, track);
      if (kind === 'audio' && this.#muted) await media.setPaused('audio', true);
    } catch {
      // The link was closed under it, or the call changed meanwhile: whoever rebuilds the link sends again.
    }
  }

  close(): void {
    this.#closed = true;
    this.#local.close();
  }
}
