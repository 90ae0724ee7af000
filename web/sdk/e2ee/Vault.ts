/** What a device remembers for end-to-end encryption: its key, and the devices of others. Values are structured clones. */
export interface Vault {
  get<T>(name: string): Promise<T | undefined>;
  set(name: string, value: unknown): Promise<void>;
}

/** Remembers until the page is closed. */
export class MemoryVault implements Vault {
  readonly #values = new Map<string, unknown>();

  async get<T>(name: string): Promise<T | undefined> {
    return this.#values.get(name) as T | undefined;
  }

  async set(name: string, value: unknown): Promise<void> {
    this.#values.set(name, value);
  }
}
