/**
 * The bus between processes: small JSON messages to everybody who listens now, oneself included. A hint, not the
 * truth: a message can be lost, so whoever listens must also be able to find out otherwise.
 */
export interface Bus {
  /** Tells everybody. Never throws and never waits for long; an outage is logged by the bus. */
  publish(topic: string, message: object): void;
  /** Calls `listener` for each message on `topic`; returns how to stop. */
  subscribe(topic: string, listener: (message: unknown) => void): () => void;
  close(): Promise<void>;
}

/** Told when messages go through again that did not: whatever was told meanwhile is lost, and is to be looked for. */
export const RESUMED = 'bus.resumed';

/** Who listens to which topic, in this process. */
export class Listeners {
  readonly #byTopic = new Map<string, Set<(message: unknown) => void>>();
  readonly #failed: (topic: string, error: unknown) => void;

  /** `failed` is told what a listener threw; the others hear the message all the same. Without it that is the caller's. */
  constructor(failed?: (topic: string, error: unknown) => void) {
    this.#failed = failed ?? rethrow;
  }

  add(topic: string, listener: (message: unknown) => void): () => void {
    const listeners = this.#byTopic.get(topic) ?? new Set();
    this.#byTopic.set(topic, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  tell(topic: string, message: unknown): void {
    for (const listener of this.#byTopic.get(topic) ?? []) {
      try {
        listener(message);
      } catch (error) {
        this.#failed(topic, error);
      }
    }
  }

  clear(): void {
    this.#byTopic.clear();
  }
}

/** The bus of a single process. Messages arrive after the caller's turn, as copies, like those of the real one. */
export class MemoryBus implements Bus {
  readonly #listeners = new Listeners();

  publish(topic: string, message: object): void {
    const copy: unknown = JSON.parse(JSON.stringify(message));
    queueMicrotask(() => this.#listeners.tell(topic, copy));
  }

  subscribe(topic: string, listener: (message: unknown) => void): () => void {
    return this.#listeners.add(topic, listener);
  }

  close(): Promise<void> {
    this.#listeners.clear();
    return Promise.resolve();
  }
}

/** Where nobody else speaks, what a listener cannot take is a bug of this process. */
function rethrow(_topic: string, error: unknown): never {
  throw error;
}
