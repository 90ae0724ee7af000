import { MemoryVault, type Vault } from './Vault.ts';

const DATABASE = 'duet-e2ee';
const STORE = 'values';
/** A browser that has not answered by then (a store that another window holds, a disk that hangs) is not waited for. */
const ANSWER_MS = 5_000;

/** IndexedDB where there is one, since it keeps keys that nobody can read; else only until the page is closed. */
export function openVault(): Vault {
  return typeof indexedDB === 'undefined' ? new MemoryVault() : new IndexedDbVault();
}

class IndexedDbVault implements Vault {
  /** For a browser that has IndexedDB and does not let one use it, as some do in private windows. */
  readonly #memory = new MemoryVault();
  #database: Promise<IDBDatabase> | undefined;

  async get<T>(name: string): Promise<T | undefined> {
    const kept = await this.#do<T | undefined>('readonly', (store) => store.get(name)).catch(() => undefined);
    return kept ?? (await this.#memory.get<T>(name));
  }

  async set(name: string, value: unknown): Promise<void> {
    await this.#memory.set(name, value);
    await this.#do('readwrite', (store) => store.put(value, name)).catch(() => undefined);
  }

  async #do<T>(mode: IDBTransactionMode, ask: (store: IDBObjectStore) => IDBRequest): Promise<T> {
    this.#database ??= this.#open();
    const database = await this.#database;
    return await settled<T>(ask(database.transaction(STORE, mode).objectStore(STORE)));
  }

  /** What could not be opened, or the browser has closed, is opened by the next asking; what hangs is done without. */
  async #open(): Promise<IDBDatabase> {
    const forget = () => {
      this.#database = undefined;
    };
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    try {
      const database = await settled<IDBDatabase>(opening);
      database.onclose = forget;
      return database;
    } catch (error) {
      if (opening.readyState === 'done') forget();
      throw error;
    }
  }
}

function settled<T>(request: IDBRequest): Promise<T> {
  return new Promise((done, failed) => {
    const late = setTimeout(() => failed(new Error('IndexedDB does not answer')), ANSWER_MS);
    const settle = (act: () => void) => () => {
      clearTimeout(late);
      act();
    };
    request.onsuccess = settle(() => done(request.result));
    request.onerror = settle(() => failed(request.error));
  });
}
