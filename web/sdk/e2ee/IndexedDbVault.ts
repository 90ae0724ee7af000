import { MemoryVault, type Vault } from './Vault.ts';

const DATABASE = 'duet-e2ee';
const STORE = 'values';

/** IndexedDB where there is one, since it keeps keys that nobody can read; else until the page is closed. */
export function openVault(): Vault {
  return typeof indexedDB === 'undefined' ? new MemoryVault() : new IndexedDbVault();
}

class IndexedDbVault implements Vault {
  #database: Promise<IDBDatabase> | undefined;

  async get<T>(name: string): Promise<T | undefined> {
    return await this.#do<T | undefined>('readonly', (store) => store.get(name));
  }

  async set(name: string, value: unknown): Promise<void> {
    await this.#do('readwrite', (store) => store.put(value, name));
  }

  async #do<T>(mode: IDBTransactionMode, ask: (store: IDBObjectStore) => IDBRequest): Promise<T> {
    this.#database ??= this.#open();
    const database = await this.#database;
    return await settled<T>(ask(database.transaction(STORE, mode).objectStore(STORE)));
  }

  #open(): Promise<IDBDatabase> {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    return settled(opening);
  }
}

function settled<T>(request: IDBRequest): Promise<T> {
  return new Promise((done, failed) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
}
