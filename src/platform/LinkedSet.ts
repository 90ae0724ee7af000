/** What a `LinkedSet` holds: its neighbours there. Undefined outside. */
export interface Linked<T> {
  older: T | undefined;
  newer: T | undefined;
}

/**
 * A set in the order of arrival, for what comes and goes thousands of times a second: a `Set` or `Map` for that makes
 * every minor collection slow. V8 gives one that things go through a new table again and again, and each old table
 * points to the next (`OrderedHashTable::SetNextTable`, for iterators). One such table that is promoted keeps all later
 * ones and what was in them, dead as they are, until the next major collection: minor ones of 5 to 10 ms, measured, in
 * place of half a millisecond. Whatever leaves this one points to nobody.
 */
export class LinkedSet<T extends Linked<T>> implements Iterable<T> {
  #oldest: T | undefined;
  #newest: T | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get oldest(): T | undefined {
    return this.#oldest;
  }

  /** Nothing may be in two sets, or twice in one. */
  add(item: T): void {
    item.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = item;
    else this.#newest.newer = item;
    this.#newest = item;
    this.#size++;
  }

  /** Does nothing for what is in no set. */
  delete(item: T): void {
    const { older, newer } = item;
    if (older === undefined && newer === undefined && this.#oldest !== item) return;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    item.older = undefined;
    item.newer = undefined;
    this.#size--;
  }

  /** Those that are in it now, the oldest first, whatever comes or goes meanwhile. */
  [Symbol.iterator](): Iterator<T> {
    const items: T[] = [];
    for (let item = this.#oldest; item !== undefined; item = item.newer) items.push(item);
    return items.values();
  }
}
