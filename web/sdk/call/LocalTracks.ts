import { backoffMs, pause } from '../backoff.ts';
import { Emitter } from '../Emitter.ts';

export type Kind = 'audio' | 'video';

type LocalEvents = {
  /** A track was opened, replaced or closed. */
  track: { kind: Kind; track: MediaStreamTrack | null };
  /** A device could not be opened; `name` is the browser's (`NotAllowedError`, `NotFoundError`, ...). */
  failed: { kind: Kind; name: string };
  /** Devices came or went. */
  devices: undefined;
};

const AUDIO: MediaTrackConstraints = {
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
};
const VIDEO: MediaTrackConstraints = {
  width: { ideal: 960 },
  height: { ideal: 540 },
  frameRate: { ideal: 24, max: 30 },
  facingMode: 'user',
};

/**
 * The browser's names of what is often over in a moment: another program has the device, or this page still had it
 * before it was loaded anew.
 */
const TAKEN: ReadonlySet<string> = new Set(['NotReadableError', 'AbortError']);
/** How often one that is taken is asked for again: for some twenty seconds. */
const TRIES = 7;

/** The own microphone and camera: choice of device, and another one when the chosen one is lost. */
export class LocalTracks extends Emitter<LocalEvents> {
  readonly #tracks: Record<Kind, MediaStreamTrack | null> = { audio: null, video: null };
  readonly #opening: Partial<Record<Kind, Promise<MediaStreamTrack | null>>> = {};
  readonly #missing = new Set<Kind>();
  /** How often in a row each was taken. */
  readonly #taken: Record<Kind, number> = { audio: 0, video: 0 };
  #silence: { context: AudioContext; track: MediaStreamTrack } | undefined;
  #closed = false;

  constructor() {
    super();
    navigator.mediaDevices?.addEventListener('devicechange', this.#onDeviceChange);
  }

  track(kind: Kind): MediaStreamTrack | null {
    return this.#tracks[kind];
  }

  /** The microphone or camera; asks for permission where it must. Null when it cannot be had. */
  async open(kind: Kind): Promise<MediaStreamTrack | null> {
    if (this.#closed) return null;
    const track = this.#tracks[kind];
    if (track?.readyState === 'live') return track;
    this.#opening[kind] ??= this.#acquire(kind).finally(() => {
      delete this.#opening[kind];
    });
    return await this.#opening[kind];
  }

  /** Changes to another device. The old one goes on until the new one is there; rejects where it goes on for good. */
  async choose(kind: Kind, deviceId: string): Promise<MediaStreamTrack | null> {
    return await this.#acquire(kind, deviceId);
  }

  /** Devices of a kind that can be chosen. Labels are empty until permission was given. */
  async devices(kind: Kind): Promise<MediaDeviceInfo[]> {
    const wanted = kind === 'audio' ? 'audioinput' : 'videoinput';
    const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    return devices.filter((device) => device.kind === wanted && device.deviceId !== '');
  }

  /**
   * Sound that is silent, for who has no microphone: the clock of a call starts when media flows both ways, and
   * listening is better than no call.
   */
  silence(): MediaStreamTrack | null {
    if (this.#closed) return null;
    if (!this.#silence) {
      const context = new AudioContext();
      const destination = context.createMediaStreamDestination();
      const [track] = destination.stream.getAudioTracks();
      if (!track) return null;
      // Without a source nothing at all would be sent.
      const source = context.createConstantSource();
      source.offset.value = 0;
      source.connect(destination);
      source.start();
      this.#silence = { context, track };
    }
    // Made before anybody has touched the page it stands still, and sends nothing.
    const { context, track } = this.#silence;
    if (context.state === 'suspended') void context.resume().catch(() => undefined);
    return track;
  }

  /** Turns a device off, its light too. */
  stop(kind: Kind): void {
    this.#found(kind);
    this.#replace(kind, null);
  }

  /** Turns everything off for good. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    navigator.mediaDevices?.removeEventListener('devicechange', this.#onDeviceChange);
    this.#replace('audio', null);
    this.#replace('video', null);
    void this.#silence?.context.close();
    this.clear();
  }

  async #acquire(kind: Kind, deviceId?: string): Promise<MediaStreamTrack | null> {
    const wish = kind === 'audio' ? AUDIO : VIDEO;
    const constraints = deviceId ? { ...wish, facingMode: undefined, deviceId: { exact: deviceId } } : wish;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ [kind]: constraints });
      const track = stream.getTracks()[0] ?? null;
      if (this.#closed) {
        track?.stop();
        return null;
      }
      this.#found(kind);
      this.#replace(kind, track);
      return track;
    } catch (error) {
      if (deviceId && this.#tracks[kind]?.readyState === 'live') throw error;
      this.#missing.add(kind);
      // What was lost is good for nothing more.
      if (this.#tracks[kind]?.readyState === 'ended') this.#tracks[kind] = null;
      const name = error instanceof Error ? error.name : 'UnknownError';
      this.emit('failed', { kind, name });
      if (TAKEN.has(name)) void this.#openLater(kind);
      return null;
    }
  }

  /** It is there, or not wanted any more. */
  #found(kind: Kind): void {
    this.#missing.delete(kind);
    this.#taken[kind] = 0;
  }

  async #openLater(kind: Kind): Promise<void> {
    const attempt = this.#taken[kind]++;
    if (attempt >= TRIES) return;
    await pause(backoffMs(attempt));
    if (this.#missing.has(kind)) await this.open(kind);
  }

  #replace(kind: Kind, track: MediaStreamTrack | null): void {
    const old = this.#tracks[kind];
    if (old === track) return;
    this.#tracks[kind] = track;
    // `ended` comes only when the device is taken away, not after `stop()`: then any other one will do.
    track?.addEventListener('ended', () => {
      if (this.#tracks[kind] === track && !this.#closed) void this.#acquire(kind);
    });
    this.emit('track', { kind, track });
    old?.stop();
  }

  readonly #onDeviceChange = (): void => {
    this.emit('devices', undefined);
    // One that was missing may have been plugged in.
    for (const kind of this.#missing) void this.open(kind);
  };
}
