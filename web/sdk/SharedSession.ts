import { keepNothingAlive } from './page.ts';
import { MemoryStorage, type TokenStorage } from './TokenStorage.ts';
import { isOther, parseSession, type Session, signInOf } from './tokens.ts';

const SESSION_KEY = 'duet.session';
const CHANNEL = 'duet.session';
/** A window that holds the lock for longer is asleep. */
const LOCK_WITHIN_MS = 5_000;

type Locks = {
  request<T>(name: string, options: { signal: AbortSignal }, run: () => Promise<T>): Promise<T>;
};

/**
 * The session as several windows have it: those that share a storage, and copies of a window, whose storage was copied
 * with it. A refresh token that was used is not to be used again, so they renew one after the other and tell each other.
 */
export class SharedSession {
  readonly #storage: TokenStorage;
  readonly #channel: InstanceType<typeof BroadcastChannel> | undefined;

  /** `onNews`: another window has renewed a session, perhaps this one. */
  constructor(storage: TokenStorage, onNews: (session: Session) => void) {
    this.#storage = storage;
    // What is kept in memory is nobody else's.
    if (storage instanceof MemoryStorage || typeof BroadcastChannel === 'undefined') return;
    this.#channel = new BroadcastChannel(CHANNEL);
    this.#channel.onmessage = (event: { data?: unknown }) => {
      const session = parseSession(String(event.data));
      if (session) onNews(session);
    };
    keepNothingAlive(this.#channel);
  }

  read(): Session | undefined {
    return parseSession(this.#storage.getItem(SESSION_KEY));
  }

  /** What another window of the same sign-in keeps in the place of this session. */
  readOther(session: Session): Session | undefined {
    const kept = this.read();
    return kept && isOther(kept, session) ? kept : undefined;
  }

  /** Keeps the session of somebody who signed in. */
  write(session: Session): void {
    this.#storage.setItem(SESSION_KEY, JSON.stringify(session));
  }

  /** Keeps a session that was renewed, unless somebody else has signed in in this storage meanwhile. */
  update(session: Session): void {
    const kept = this.read();
    if (!kept || signInOf(kept) === signInOf(session)) this.write(session);
  }

  /** Tells the other windows of a session that was renewed here. */
  tell(session: Session): void {
    this.#channel?.postMessage(JSON.stringify(session));
  }

  /** Forgets a session; another one that was kept meanwhile stays. */
  forget(session: Session): void {
    const kept = this.read();
    if (kept && signInOf(kept) === signInOf(session)) this.#storage.removeItem(SESSION_KEY);
  }

  /** Runs while no other window of the same sign-in does, as far as the browser can say. */
  async alone<T>(session: Session, run: () => Promise<T>): Promise<T> {
    const { locks } = (globalThis.navigator ?? {}) as { locks?: Locks };
    if (!this.#channel || !locks) return await run();
    let isGranted = false;
    const signal = AbortSignal.timeout(LOCK_WITHIN_MS);
    try {
      return await locks.request(`${CHANNEL} ${signInOf(session)}`, { signal }, () => {
        isGranted = true;
        return run();
      });
    } catch (error) {
      if (isGranted) throw error;
      return await run();
    }
  }
}
