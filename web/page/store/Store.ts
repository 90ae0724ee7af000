import { useEffect, useState } from 'preact/hooks';

/** A value that components follow. */
export class Store<T extends object> {
  readonly #listeners = new Set<() => void>();
  #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(change: Partial<T>): void {
    this.#value = { ...this.#value, ...change };
    for (const listener of [...this.#listeners]) listener();
  }

  follow(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** The store's value; the component is drawn again when it changes. */
export function useStore<T extends object>(store: Store<T>): T {
  const [, redraw] = useState({});
  useEffect(() => store.follow(() => redraw({})), [store]);
  return store.value;
}
