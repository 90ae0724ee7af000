/**
 * A call's row as its holder knows it. A commit that was not answered may have been written all the same, and one that was
 * given up on may come through late: then the row is in doubt, and is read again before anything else is decided on it.
 */
import { isRefusal, type Refusal } from '../errors.ts';
import type { StoredEvent } from '../events/outbox.ts';
import { type CallStore, type Commit, type HeldCall, RECENT_IDS } from './CallStore.ts';
import type { CallChange, CallEffect } from './effects.ts';
import type { Call } from './state.ts';

export class KnownCall {
  readonly epoch: number;
  readonly #store: CallStore;
  #call: Call;
  #version: number;
  /** Commands that were done and may come again, the oldest first. */
  #recentIds: string[];
  /** What may have been written, or what there was when the row turned out to be another. */
  #inDoubt: CallChange | undefined;

  constructor(store: CallStore, { call, epoch, version, recentIds }: HeldCall) {
    this.#store = store;
    this.#call = call;
    this.epoch = epoch;
    this.#version = version;
    this.#recentIds = recentIds.toReversed();
  }

  get call(): Call {
    return this.#call;
  }

  get version(): number {
    return this.#version;
  }

  get isInDoubt(): boolean {
    return this.#inDoubt !== undefined;
  }

  hasDone(commandId: string): boolean {
    return this.#recentIds.includes(commandId);
  }

  remember(commandIds: readonly string[]): void {
    this.#recentIds = [...new Set([...this.#recentIds, ...commandIds])].slice(-RECENT_IDS);
  }

  /**
   * Writes a change that was decided on the call as it is here. Resolves with the events as stored; with the refusal of
   * `first`, nothing written; or with undefined: the row is not what is known of it, and is in doubt. In doubt it is as well
   * when this throws.
   */
  async commit(
    change: CallChange,
    rest: Omit<Commit, 'call' | 'epoch' | 'version'>,
  ): Promise<StoredEvent[] | Refusal | undefined> {
    this.#inDoubt = change;
    const { call } = change;
    const written = await this.#store.commit({ ...rest, call, epoch: this.epoch, version: this.#version });
    // Another process holds the call, or a commit that was given up on has come through since the row was read: not this
    // one.
    this.#inDoubt = written === undefined ? { call: this.#call, effects: [] } : undefined;
    if (written === undefined || isRefusal(written)) return written;
    this.#call = call;
    this.#version = written.version;
    return written.events;
  }

  /**
   * Reads the row again where it is in doubt. Resolves with what is to be told of a change that was found there, with
   * undefined where there was none, or with `lost`: another process holds the call.
   */
  async reread(): Promise<CallEffect[] | 'lost' | undefined> {
    const change = this.#inDoubt;
    if (change === undefined) return undefined;
    const row = await this.#store.reread(this.#call.id, this.epoch);
    if (row === undefined) return 'lost';
    this.#inDoubt = undefined;
    if (row.version === this.#version) return undefined;
    this.#version = row.version;
    this.remember(row.recentIds.toReversed());
    this.#call = row.call;
    return change.effects;
  }

  /** The version that the row is at; undefined when another process holds the call. */
  rowVersion(): Promise<number | undefined> {
    return this.#store.heldVersion(this.#call.id, this.epoch);
  }

  /** Whether the row's `version` is known here, or about to be read; where not, the row is in doubt from now on. */
  knows(version: number): boolean {
    if (this.isInDoubt || version <= this.#version) return true;
    this.#inDoubt = { call: this.#call, effects: [] };
    return false;
  }
}
