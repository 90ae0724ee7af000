import type { RefreshTokens } from '../../accounts/RefreshTokens.ts';
import type { Grant } from '../../accounts/Sessions.ts';
import { DuetError } from '../../errors.ts';

/**
 * Cookie mode: the refresh token in a cookie that no script can read, and beside it `csrf`, which the page reads and
 * sends back as X-CSRF-Token. The value is bound to the session, so that a cookie planted by a neighbour fits none.
 */

/** What is needed of a request's context; the route must declare `COOKIE_HEADERS`. */
interface CookieContext {
  header(name: CookieHeader): string;
  cookie(name: string): string | undefined;
  setHeader(name: keyof typeof SENDS_COOKIES, value: string): void;
}

export const COOKIE_HEADERS = [
  'cookie',
  'x-csrf-token',
  'x-auth-mode',
  'origin',
  'host',
  'sec-fetch-site',
] as const;
/** What the routes that set or clear cookies declare. */
export const SENDS_COOKIES = {
  'set-cookie':
    'In cookie mode, twice: the refresh token as `duet_refresh` (HttpOnly), and `csrf`, which is to be sent back as `X-CSRF-Token`.',
} as const;
export type CookieHeader = (typeof COOKIE_HEADERS)[number];

const REFRESH_COOKIE = 'duet_refresh';
const CSRF_COOKIE = 'csrf';
const AUTH_PATH = '/api/v1/auth';

/** The origins (`https://duet.example`) whose pages are Duet's, whatever `Host` a proxy makes of it. */
export type Origins = { has(origin: string): boolean };

export class AuthCookies {
  readonly #refreshTokens: RefreshTokens;
  readonly #allowedOrigins: Origins;

  constructor(options: { refreshTokens: RefreshTokens; allowedOrigins: Origins }) {
    this.#refreshTokens = options.refreshTokens;
    this.#allowedOrigins = options.allowedOrigins;
  }

  /** Whether the client asked for cookies. */
  wanted(ctx: CookieContext): boolean {
    return ctx.header('x-auth-mode').toLowerCase() === 'cookie';
  }

  /** Whether the refresh token of a session is in a cookie: its next one belongs there too. */
  holds(ctx: CookieContext, sessionId: string): boolean {
    const token = ctx.cookie(REFRESH_COOKIE);
    return token !== undefined && this.#refreshTokens.read(token)?.sessionId === sessionId;
  }

  /** Puts the refresh token of a grant, and what goes with it, into cookies that end when it does. */
  set(ctx: CookieContext, grant: Grant, nowMs: number): void {
    const maxAgeSec = Math.max(0, Math.floor((grant.refreshTokenExpiresAt - nowMs) / 1000));
    this.#write(ctx, grant.refreshToken, this.#refreshTokens.csrf(grant.sessionId), maxAgeSec);
  }

  /** Takes the cookies away, if the client has any. */
  clear(ctx: CookieContext): void {
    if (ctx.cookie(REFRESH_COOKIE) !== undefined) this.#write(ctx, '', '', 0);
  }

  /**
   * The refresh token in the cookie; undefined where there is none, or nothing that could be one. Throws CSRF_FAILED when
   * the request was not made by a page that may read the `csrf` cookie: before the token is used, so that nothing rotates.
   */
  refreshToken(ctx: CookieContext): string | undefined {
    const token = ctx.cookie(REFRESH_COOKIE);
    if (token === undefined) return undefined;
    const given = ctx.header('x-csrf-token');
    if (given === '' || given !== ctx.cookie(CSRF_COOKIE) || !this.#isOwnPage(ctx))
      throw new DuetError('CSRF_FAILED');
    const sessionId = this.#refreshTokens.read(token)?.sessionId;
    if (sessionId === undefined) return undefined;
    if (!this.#refreshTokens.isCsrf(sessionId, given)) throw new DuetError('CSRF_FAILED');
    return token;
  }

  #isOwnPage(ctx: CookieContext): boolean {
    const origin = ctx.header('origin');
    if (this.#allowedOrigins.has(origin)) return true;
    const site = ctx.header('sec-fetch-site');
    if (site !== '' && site !== 'same-origin' && site !== 'none') return false;
    return origin === '' || URL.parse(origin)?.host === ctx.header('host');
  }

  #write(ctx: CookieContext, refreshToken: string, csrf: string, maxAgeSec: number): void {
    const common = `Max-Age=${maxAgeSec}; Secure; SameSite=Strict`;
    ctx.setHeader('set-cookie', `${REFRESH_COOKIE}=${refreshToken}; Path=${AUTH_PATH}; HttpOnly; ${common}`);
    ctx.setHeader('set-cookie', `${CSRF_COOKIE}=${csrf}; Path=/; ${common}`);
  }
}
