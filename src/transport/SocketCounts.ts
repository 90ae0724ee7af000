/** Sockets that one person and one network address may have open at this process. */
export type SocketLimits = {
  /** Devices and tabs of one person. */
  perUser: number;
  /** A household or an office behind one address; of IPv6 the /64. */
  perAddress: number;
};

/** Who has how many sockets open. Counted by any text that names a person or an address. */
export class SocketCounts {
  readonly #limits: SocketLimits;
  readonly #byUser = new Map<string, number>();
  readonly #byAddress = new Map<string, number>();

  constructor(limits: SocketLimits) {
    this.#limits = limits;
  }

  /** Whether another socket may be opened. `user` is undefined for whom nobody knows: they count by address only. */
  admits(user: string | undefined, address: string): boolean {
    if ((this.#byAddress.get(address) ?? 0) >= this.#limits.perAddress) return false;
    return user === undefined || (this.#byUser.get(user) ?? 0) < this.#limits.perUser;
  }

  opened(user: string | undefined, address: string): void {
    add(this.#byAddress, address, 1);
    if (user !== undefined) add(this.#byUser, user, 1);
  }

  closed(user: string | undefined, address: string): void {
    add(this.#byAddress, address, -1);
    if (user !== undefined) add(this.#byUser, user, -1);
  }
}

function add(counts: Map<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
