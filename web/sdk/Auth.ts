import { DuetApiError } from './DuetApiError.ts';
import { Emitter } from './Emitter.ts';
import type { Bearer, Http } from './Http.ts';
import { query } from './People.ts';
import { keepNothingAlive } from './page.ts';
import { localNow } from './ServerClock.ts';
import { SharedSession } from './SharedSession.ts';
import type { TokenStorage } from './TokenStorage.ts';
import { isNewer, type Session, sessionOf } from './tokens.ts';
import type { Page, Registration, SignedInDevice, Tokens } from './types.ts';

type AuthEvents = {
  /** Somebody signed in. */
  signedIn: Tokens;
  /** The session is over: `logout` by choice, `revoked` by the server. */
  signedOut: { reason: 'logout' | 'revoked' };
};

const DEVICE_KEY = 'duet.device';
/** An access token is renewed this long before it runs out. */
const RENEW_BEFORE_MS = 60_000;
/**
 * An answer that has not come by then is asked for again, and may have been lost: the server gives the same one for ten
 * seconds, and takes a later asking for a stolen token. So three askings fit in.
 */
const REFRESH_AGAIN_MS = 3_000;
const REFRESH_TRIES = 3;

/** Sign-in, and the tokens that follow from it. */
export class Auth extends Emitter<AuthEvents> implements Bearer {
  readonly #http: Http;
  readonly #storage: TokenStorage;
  readonly #shared: SharedSession;
  #session: Session | undefined;
  #renewal: Promise<boolean> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(http: Http, storage: TokenStorage) {
    super();
    this.#http = http;
    this.#storage = storage;
    this.#shared = new SharedSession(storage, (session) => this.#adopt(session));
    this.#session = this.#shared.read();
    this.#schedule();
  }

  get isSignedIn(): boolean {
    return this.#session !== undefined;
  }

  /** The signed-in user's id. */
  get userId(): string | undefined {
    return this.#session?.tokens.user.id;
  }

  /** Asks for an account. Always resolves alike; the mail tells the owner of the address. Errors: `UNDERAGE`. */
  register(input: Registration): Promise<{ message: string }> {
    return this.#http.post('/auth/register', input, { signedIn: false });
  }

  /** Redeems the token of the verification mail. */
  verify(token: string): Promise<void> {
    return this.#http.post('/auth/verify-email', { token }, { signedIn: false });
  }

  resendVerification(email: string): Promise<void> {
    return this.#http.post('/auth/resend-verification', { email }, { signedIn: false });
  }

  forgot(email: string): Promise<void> {
    return this.#http.post('/auth/forgot-password', { email }, { signedIn: false });
  }

  /** Sets a new password with the token of the mail; ends every session of the account. */
  reset(token: string, password: string): Promise<void> {
    return this.#http.post('/auth/reset-password', { token, password }, { signedIn: false });
  }

  /** Signs out who else is signed in. Errors: `INVALID_CREDENTIALS`, `ACCOUNT_SUSPENDED`, `TOO_MANY_REQUESTS`. */
  async login(email: string, password: string): Promise<Tokens> {
    const deviceId = this.#storage.getItem(DEVICE_KEY);
    const headers: Record<string, string> = deviceId ? { 'x-device-id': deviceId } : {};
    const tokens = await this.#http.post<Tokens>(
      '/auth/login',
      { email, password },
      { signedIn: false, headers },
    );
    // What is theirs would be heard under the new name.
    if (this.userId !== tokens.user.id) void this.logout();
    this.#storage.setItem(DEVICE_KEY, tokens.deviceId);
    this.#keep(tokens);
    this.emit('signedIn', tokens);
    return tokens;
  }

  /** Changes the password and goes on with fresh tokens; every other session ends. */
  async changePassword(currentPassword: string, newPassword: string): Promise<void> {
    // Before the others are kept from it: it may have to be renewed.
    const token = await this.accessToken();
    const session = this.#session;
    if (!session) throw notSignedIn();
    await this.#shared.alone(session, async () => {
      const body = { currentPassword, newPassword };
      const changed = sessionOf(await this.#http.post<Tokens>('/auth/change-password', body, { token }));
      // Somebody may have signed out while the answer was on its way.
      if (this.#session === undefined) return;
      this.#goOnWith(changed);
      // What the other windows have is good for nothing now; using it would end the sign-in for all of them.
      this.#shared.tell(changed);
    });
  }

  /** Ends the session: here at once. Resolves when the server was told, or cannot be. */
  async logout(): Promise<void> {
    const session = this.#session;
    this.end('logout');
    if (!session) return;
    try {
      const isGood = session.goodUntilMs > localNow();
      const { accessToken } = isGood ? session.tokens : await this.#askAgain(session.tokens.refreshToken);
      await this.#http.post('/auth/logout', undefined, { token: accessToken });
    } catch {
      // What this device knew is forgotten all the same.
    }
  }

  /** The devices that are signed in, this one among them. */
  sessions(options: { limit?: number; cursor?: string } = {}): Promise<Page<SignedInDevice>> {
    return this.#http.get(`/users/me/sessions${query(options)}`);
  }

  /** Signs a device out; its sockets are closed within a second. Errors: `NOT_FOUND`. */
  endSession(sessionId: string): Promise<void> {
    return this.#http.request('DELETE', `/users/me/sessions/${sessionId}`);
  }

  /** Renews the tokens now. Many callers at once share one request. */
  async refresh(): Promise<void> {
    if (!(await this.#renewOnce())) throw notSignedIn();
  }

  async accessToken(): Promise<string | undefined> {
    const session = this.#session;
    if (!session) return undefined;
    if (session.goodUntilMs - RENEW_BEFORE_MS < localNow()) {
      // The old token may still be good for a while: only a dead session is an error here.
      await this.#renewOnce().catch((error) => {
        if (session.goodUntilMs < localNow()) throw error;
      });
    }
    return this.#session?.tokens.accessToken;
  }

  async renew(token: string): Promise<boolean> {
    this.#adopt(this.#shared.read());
    if (this.#session === undefined) return false;
    if (this.#session.tokens.accessToken !== token) return true;
    return await this.#renewOnce();
  }

  /** Forgets the session and tells so. */
  end(reason: 'logout' | 'revoked'): void {
    const session = this.#session;
    if (session === undefined) return;
    this.#session = undefined;
    clearTimeout(this.#timer);
    this.#shared.forget(session);
    this.emit('signedOut', { reason });
  }

  #renewOnce(): Promise<boolean> {
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async #renew(): Promise<boolean> {
    const stale = this.#session;
    if (stale === undefined) return false;
    return await this.#shared.alone(stale, async () => {
      // Another window may have renewed it meanwhile; it would be signed out if this one used the old token again.
      this.#adopt(this.#shared.read());
      if (this.#session !== stale) return this.#session !== undefined;
      try {
        const tokens = await this.#askAgain(stale.tokens.refreshToken);
        // Somebody may have signed out while the answer was on its way.
        if (this.#session !== stale) return this.#session !== undefined;
        const session = sessionOf(tokens);
        this.#goOnWith(session);
        this.#shared.tell(session);
        return true;
      } catch (error) {
        if (!(error instanceof DuetApiError) || error.isTemporary) throw error;
        if (this.#session === stale) this.#giveUp(stale);
        return this.#session !== undefined;
      }
    });
  }

  /** The server takes these tokens no more. What another window keeps by now may be good; else the session is over. */
  #giveUp(spent: Session): void {
    const other = this.#shared.readOther(spent);
    if (other) this.#goOnWith(other);
    else this.end('revoked');
  }

  /** Asks for new tokens until one of the askings is answered. */
  #askAgain(refreshToken: string): Promise<Tokens> {
    return new Promise((resolve, reject) => {
      let open = 0;
      let tries = 0;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const ask = () => {
        clearTimeout(timer);
        open += 1;
        tries += 1;
        if (tries < REFRESH_TRIES) timer = setTimeout(ask, REFRESH_AGAIN_MS);
        const asking = this.#http.post<Tokens>('/auth/refresh-token', { refreshToken }, { signedIn: false });
        asking.then(
          (tokens) => {
            clearTimeout(timer);
            resolve(tokens);
          },
          (error) => {
            open -= 1;
            const isLost = error instanceof DuetApiError && error.code === 'NETWORK';
            if (isLost && open > 0) return;
            if (isLost && tries < REFRESH_TRIES) return ask();
            clearTimeout(timer);
            reject(error);
          },
        );
      };
      ask();
    });
  }

  #keep(tokens: Tokens): void {
    this.#session = sessionOf(tokens);
    this.#shared.write(this.#session);
    this.#schedule();
  }

  /** Goes on with what another window of the same sign-in has. */
  #adopt(session: Session | undefined): void {
    if (!session || !this.#session || !isNewer(session, this.#session)) return;
    this.#goOnWith(session);
  }

  #goOnWith(session: Session): void {
    this.#session = session;
    this.#shared.update(session);
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (!this.#session) return;
    const delayMs = Math.max(5_000, this.#session.goodUntilMs - RENEW_BEFORE_MS - localNow());
    this.#timer = setTimeout(() => {
      this.#renewOnce()
        .catch(() => undefined)
        .finally(() => this.#schedule());
    }, delayMs);
    keepNothingAlive(this.#timer);
  }
}

function notSignedIn(): DuetApiError {
  return new DuetApiError(401, { code: 'UNAUTHORIZED', message: 'Sign in first.' });
}
