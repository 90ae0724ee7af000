type Options = {
  /** Restarts ICE. */
  restart: () => Promise<void>;
  /** Restarting did not help. */
  giveUp: () => void;
};

type State = 'new' | 'connecting' | 'connected' | 'failed' | 'disconnected' | 'closed';

/** "Disconnected" is often over within a second; only then is it worth a restart. */
const PATIENCE_MS = 1_000;
/** How long a restart may take. */
const RESTART_MS = 6_000;

/** Watches one transport's connection: restarts ICE when it is lost, and gives up when that does not help. */
export class IcePatience {
  readonly #options: Options;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #restarting = false;
  #closed = false;

  constructor(options: Options) {
    this.#options = options;
  }

  note(state: State): void {
    if (this.#closed) return;
    if (state === 'connected') {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#restarting = false;
    } else if (state === 'disconnected' && this.#timer === undefined) {
      this.#timer = setTimeout(() => this.#restart(), PATIENCE_MS);
    } else if (state === 'failed') {
      this.#restart();
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #restart(): void {
    if (this.#restarting || this.#closed) return;
    this.#restarting = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#giveUp(), RESTART_MS);
    this.#options.restart().catch(() => this.#giveUp());
  }

  #giveUp(): void {
    if (this.#closed || !this.#restarting) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#restarting = false;
    this.#options.giveUp();
  }
}
