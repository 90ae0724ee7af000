/** An agreement takes two round trips; after so long somebody keeps messages back. */
const STALLED_MS = 10_000;

/** Notices that an agreement on keys does not come about: some time after it is due, which it is not while it rings. */
export class AgreementWatchdog {
  readonly #onStalled: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether an agreement has begun and is not done. */
  #isAwaited = false;
  /** Whether the two may talk. */
  #isAnswered = false;
  #closed = false;

  constructor(onStalled: () => void) {
    this.#onStalled = onStalled;
  }

  /** An agreement has begun, or has to. */
  expect(): void {
    this.#isAwaited = true;
    this.#look();
  }

  noteAnswered(isAnswered: boolean): void {
    this.#isAnswered = isAnswered;
    this.#look();
  }

  /** Its time begins anew: until now it was not the other who was waited for. */
  restart(): void {
    this.#stop();
    this.#look();
  }

  /** It has come about. */
  done(): void {
    this.#isAwaited = false;
    this.#stop();
  }

  close(): void {
    this.#closed = true;
    this.#stop();
  }

  #look(): void {
    if (this.#closed || !this.#isAwaited || !this.#isAnswered) return;
    this.#timer ??= setTimeout(this.#onStalled, STALLED_MS);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
