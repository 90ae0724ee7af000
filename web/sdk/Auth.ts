import { DuetApiError } from './DuetApiError.ts';
import { Emitter } from './Emitter.ts';
import type { Bearer, Http } from './Http.ts';
import { localNow } from './ServerClock.ts';
import type { TokenStorage } from './TokenStorage.ts';
import type { Registration, Tokens } from './types.ts';

type AuthEvents = {
  /** Somebody signed in. */
  signedIn: Tokens;
  /** The session is over: `logout` by choice, `revoked` by the server. */
  signedOut: { reason: 'logout' | 'revoked' };
};

/** Tokens and, by this machine's clock, until when the access token is good (epoch ms). */
type Session = { tokens: Tokens; goodUntilMs: number };

const SESSION_KEY = 'duet.session';
const DEVICE_KEY = 'duet.device';
/** An access token is renewed this long before it runs out. */
const RENEW_BEFORE_MS = 60_000;

/** Sign-in, and the tokens that follow from it. */
export class Auth extends Emitter<AuthEvents> implements Bearer {
  readonly #http: Http;
  readonly #storage: TokenStorage;
  #session: Session | undefined;
  #renewal: Promise<boolean> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(http: Http, storage: TokenStorage) {
    super();
    this.#http = http;
    this.#storage = storage;
    this.#session = readSession(storage);
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

  /** Errors: `INVALID_CREDENTIALS`, `ACCOUNT_SUSPENDED`, `TOO_MANY_REQUESTS`. */
  async login(email: string, password: string): Promise<Tokens> {
    const deviceId = this.#storage.getItem(DEVICE_KEY);
    const headers: Record<string, string> = deviceId ? { 'x-device-id': deviceId } : {};
    const tokens = await this.#http.post<Tokens>(
      '/auth/login',
      { email, password },
      { signedIn: false, headers },
    );
    this.#storage.setItem(DEVICE_KEY, tokens.deviceId);
    this.#keep(tokens);
    this.emit('signedIn', tokens);
    return tokens;
  }

  /** Changes the password and goes on with fresh tokens; every other session ends. */
  async changePassword(currentPassword: string, newPassword: string): Promise<void> {
    this.#keep(await this.#http.post<Tokens>('/auth/change-password', { currentPassword, newPassword }));
  }

  /** Ends the session. Resolves even when the server cannot be told. */
  async logout(): Promise<void> {
    await this.#http.post('/auth/logout').catch(() => undefined);
    this.end('logout');
  }

  /** Renews the tokens now. Many callers at once share one request. */
  async refresh(): Promise<void> {
    if (!(await this.#renewOnce()))
      throw new DuetApiError(401, { code: 'UNAUTHORIZED', message: 'Sign in first.' });
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
    if (this.#session === undefined) return false;
    if (this.#session.tokens.accessToken !== token) return true;
    return await this.#renewOnce();
  }

  /** Forgets the session and tells so. */
  end(reason: 'logout' | 'revoked'): void {
    if (this.#session === undefined) return;
    this.#session = undefined;
    clearTimeout(this.#timer);
    this.#storage.removeItem(SESSION_KEY);
    this.emit('signedOut', { reason });
  }

  #renewOnce(): Promise<boolean> {
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async #renew(): Promise<boolean> {
    const refreshToken = this.#session?.tokens.refreshToken;
    if (refreshToken === undefined) return false;
    try {
      const tokens = await this.#http.post<Tokens>(
        '/auth/refresh-token',
        { refreshToken },
        { signedIn: false },
      );
      // Somebody may have signed out while the answer was on its way.
      if (this.#session?.tokens.refreshToken !== refreshToken) return this.#session !== undefined;
      this.#keep(tokens);
      return true;
    } catch (error) {
      if (!(error instanceof DuetApiError) || error.isTemporary) throw error;
      this.end('revoked');
      return false;
    }
  }

  #keep(tokens: Tokens): void {
    this.#session = { tokens, goodUntilMs: localNow() + lifetimeMs(tokens) };
    this.#storage.setItem(SESSION_KEY, JSON.stringify(this.#session));
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
  }
}

/** How long an access token lives, from its own claims (RFC 7519 section 4.1): this machine's clock may be wrong. */
function lifetimeMs(tokens: Tokens): number {
  try {
    const payload = tokens.accessToken.split('.')[1] ?? '';
    const claims = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
    if (claims.exp > claims.iat) return (claims.exp - claims.iat) * 1000;
  } catch {
    // Not a JWT that can be read here; the stated time will do.
  }
  return Date.parse(tokens.accessTokenExpiresAt) - Date.now();
}

function readSession(storage: TokenStorage): Session | undefined {
  try {
    const session = JSON.parse(storage.getItem(SESSION_KEY) ?? 'null');
    return typeof session?.tokens?.refreshToken === 'string' ? session : undefined;
  } catch {
    return undefined;
  }
}
