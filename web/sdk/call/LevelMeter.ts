/** How loud an audio track is, 0 (silence) to 1, on demand. */
export class LevelMeter {
  static #context: AudioContext | undefined;
  readonly #source: MediaStreamAudioSourceNode;
  readonly #analyser: AnalyserNode;
  readonly #samples: Uint8Array<ArrayBuffer>;

  constructor(track: MediaStreamTrack) {
    LevelMeter.#context ??= new AudioContext();
    const context = LevelMeter.#context;
    if (context.state === 'suspended') void context.resume().catch(() => undefined);
    this.#analyser = context.createAnalyser();
    // More than from one frame of a screen to the next: no sound falls between them.
    this.#analyser.fftSize = 1024;
    this.#samples = new Uint8Array(this.#analyser.fftSize);
    this.#source = context.createMediaStreamSource(new MediaStream([track]));
    this.#source.connect(this.#analyser);
  }

  /** The level of the last 20 ms or so, by root mean square on a curve that suits speech. */
  read(): number {
    this.#analyser.getByteTimeDomainData(this.#samples);
    let sum = 0;
    for (const sample of this.#samples) sum += ((sample - 128) / 128) ** 2;
    return Math.min(1, Math.sqrt(Math.sqrt(sum / this.#samples.length)) * 1.3);
  }

  close(): void {
    this.#source.disconnect();
    this.#analyser.disconnect();
  }
}
