type Listener<T> = (payload: T) => void;

/** Typed events. A listener that throws does not keep the others from hearing. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<Listener<never>>>();

  /** Calls `listener` on every `type` from now on, until the returned function is called. */
  on<T extends keyof Events>(type: T, listener: Listener<Events[T]>): () => void {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  emit<T extends keyof Events>(type: T, payload: Events[T]): void {
    for (const listener of [...(this.#listeners.get(type) ?? [])] as Listener<Events[T]>[]) {
      try {
        listener(payload);
      } catch (error) {
        console.error(error);
      }
    }
  }

  /** Forgets every listener. */
  clear(): void {
    this.#listeners.clear();
  }
}
