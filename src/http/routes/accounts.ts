import { z } from 'zod';
import type { Accounts } from '../../accounts/Accounts.ts';
import { CLIENT_HEADERS, clientOf, clientOnDevice, DEVICE_HEADERS } from '../../accounts/client.ts';
import type { PasswordChange } from '../../accounts/PasswordChange.ts';
import type { RefreshTokens } from '../../accounts/RefreshTokens.ts';
import type { Grant } from '../../accounts/Sessions.ts';
import type { SignUp } from '../../accounts/SignUp.ts';
import {
  Accepted,
  ChangePasswordBody,
  EmailBody,
  LoginBody,
  RefreshBody,
  RegisterBody,
  ResetPasswordBody,
  SessionItem,
  Tokens,
  VerifyEmailBody,
} from '../../accounts/shapes.ts';
import { type Clock, isoTime } from '../../clock.ts';
import { DuetError } from '../../errors.ts';
import type { Me } from '../../people/shapes.ts';
import { Id, listOf, Page, pageOfWhole } from '../../shapes.ts';
import { type Route, route } from '../route.ts';
import {
  AuthCookies,
  COOKIE_HEADERS,
  type CookieHeader,
  type Origins,
  SENDS_COOKIES,
} from './authCookies.ts';

export interface AccountRouteDeps {
  signUp: SignUp;
  accounts: Accounts;
  passwordChange: PasswordChange;
  refreshTokens: RefreshTokens;
  clock: Clock;
  /** Whose pages may refresh by cookie. */
  allowedOrigins: Origins;
  /** A user as seen by that user. */
  me(userId: string): Promise<Me>;
}

const TOKEN_HEADERS = [...CLIENT_HEADERS, ...COOKIE_HEADERS] as const;

const REGISTERED = { message: 'If the address can be used, a mail with the next step is on its way.' };
const MAILED = { message: 'If there is such an account, a mail is on its way.' };

const tags = ['accounts'];

/** Everything under /auth, and a user's own sessions. */
export function accountRoutes(deps: AccountRouteDeps): Route[] {
  const { signUp, accounts, passwordChange, clock } = deps;
  const cookies = new AuthCookies(deps);

  interface TokenContext {
    header(name: CookieHeader): string;
    cookie(name: string): string | undefined;
    setHeader(name: keyof typeof SENDS_COOKIES, value: string): void;
  }

  /** `Tokens` of a grant; with the refresh token in a cookie instead where the client wants that. */
  async function tokens(ctx: TokenContext, grant: Grant, inCookie: boolean): Promise<Tokens> {
    if (inCookie) cookies.set(ctx, grant, clock.now());
    return {
      accessToken: grant.accessToken,
      accessTokenExpiresAt: isoTime(grant.accessTokenExpiresAt)!,
      refreshToken: inCookie ? null : grant.refreshToken,
      refreshTokenExpiresAt: isoTime(grant.refreshTokenExpiresAt)!,
      deviceId: grant.deviceId,
      user: await deps.me(grant.userId),
    };
  }

  return [
    route({
      method: 'post',
      path: '/auth/register',
      summary: 'Register; a mail with a link follows',
      description:
        'The answer is the same whether or not the address is known. Registering is the consent to the terms and the privacy notice in force, whose versions are kept.',
      tags,
      who: 'anyone',
      limit: 'anonymous',
      headers: DEVICE_HEADERS,
      body: RegisterBody,
      status: 202,
      out: Accepted,
      async run(ctx) {
        await signUp.register(ctx.body, clientOnDevice(ctx));
        return REGISTERED;
      },
    }),
    route({
      method: 'post',
      path: '/auth/verify-email',
      summary: 'Verify an address by the token of a mail',
      description:
        'Where others registered the address too, from other networks, and the link is followed from elsewhere than it was asked for, no password counts any more: a mail with a link to choose one follows.',
      tags,
      who: 'anyone',
      limit: 'anonymous',
      headers: DEVICE_HEADERS,
      body: VerifyEmailBody,
      status: 204,
      run: (ctx) => signUp.verifyEmail(ctx.body.token, clientOnDevice(ctx)),
    }),
    route({
      method: 'post',
      path: '/auth/resend-verification',
      summary: 'Send the mail with the link to verify again',
      tags,
      who: 'anyone',
      limit: 'anonymous',
      headers: CLIENT_HEADERS,
      body: EmailBody,
      status: 202,
      out: Accepted,
      async run(ctx) {
        await signUp.resendVerification(ctx.body.email, clientOf(ctx));
        return MAILED;
      },
    }),
    route({
      method: 'post',
      path: '/auth/forgot-password',
      summary: 'Send a mail with a link to choose a new password',
      tags,
      who: 'anyone',
      limit: 'anonymous',
      headers: CLIENT_HEADERS,
      body: EmailBody,
      status: 202,
      out: Accepted,
      async run(ctx) {
        await passwordChange.forgot(ctx.body.email, clientOf(ctx));
        return MAILED;
      },
    }),
    route({
      method: 'post',
      path: '/auth/reset-password',
      summary: 'Choose a new password by the token of a mail; ends every session',
      tags,
      who: 'anyone',
      limit: 'anonymous',
      headers: DEVICE_HEADERS,
      body: ResetPasswordBody,
      status: 204,
      run: (ctx) => passwordChange.reset(ctx.body.token, ctx.body.password, clientOnDevice(ctx)),
    }),
    route({
      method: 'post',
      path: '/auth/login',
      summary: 'Sign in',
      description:
        'With `X-Auth-Mode: cookie` the refresh token is set as a cookie and is null in the answer. `X-Device-Id` is a UUID that the client keeps: where there is none, one is made and returned.',
      tags,
      who: 'anyone',
      limit: 'anonymous',
      headers: [...DEVICE_HEADERS, ...COOKIE_HEADERS],
      sends: SENDS_COOKIES,
      body: LoginBody,
      status: 200,
      out: Tokens,
      async run(ctx) {
        const grant = await accounts.login(ctx.body.email, ctx.body.password, clientOnDevice(ctx));
        const given = await tokens(ctx, grant, cookies.wanted(ctx));
        return { ...given, ...(grant.restored && { restored: true as const }) };
      },
    }),
    route({
      method: 'post',
      path: '/auth/refresh-token',
      summary: 'The next tokens of a session',
      description: 'Without a body the refresh token is taken from the cookie, and `X-CSRF-Token` must fit.',
      tags,
      who: 'anyone',
      limit: 'anonymous',
      headers: TOKEN_HEADERS,
      sends: SENDS_COOKIES,
      body: RefreshBody,
      status: 200,
      out: Tokens,
      async run(ctx) {
        const given = ctx.body.refreshToken;
        const token = given ?? cookies.refreshToken(ctx);
        if (token === undefined) throw new DuetError('UNAUTHORIZED');
        return tokens(ctx, await accounts.refresh(token, clientOf(ctx)), given === undefined);
      },
    }),
    route({
      method: 'post',
      path: '/auth/change-password',
      summary: 'Change the password; every other session ends',
      tags,
      who: 'user',
      limit: 'safety',
      headers: TOKEN_HEADERS,
      sends: SENDS_COOKIES,
      body: ChangePasswordBody,
      status: 200,
      out: Tokens,
      async run(ctx) {
        const { currentPassword, newPassword } = ctx.body;
        const grant = await passwordChange.change(ctx.auth, currentPassword, newPassword, clientOf(ctx));
        const inCookie = cookies.wanted(ctx) || cookies.holds(ctx, grant.sessionId);
        return tokens(ctx, grant, inCookie);
      },
    }),
    route({
      method: 'post',
      path: '/auth/logout',
      summary: 'End this session',
      tags,
      who: 'user',
      limit: 'none',
      headers: TOKEN_HEADERS,
      sends: SENDS_COOKIES,
      status: 204,
      async run(ctx) {
        await accounts.logout(ctx.auth, clientOf(ctx));
        cookies.clear(ctx);
      },
    }),
    route({
      method: 'get',
      path: '/users/me/sessions',
      summary: 'Devices that are signed in',
      tags,
      who: 'user',
      limit: 'browse',
      status: 200,
      query: Page,
      out: listOf(SessionItem),
      run: async (ctx) => pageOfWhole(await accounts.listSessions(ctx.auth), ctx.query),
    }),
    route({
      method: 'delete',
      path: '/users/me/sessions/:sessionId',
      summary: 'Sign a device out',
      tags,
      who: 'user',
      limit: 'safety',
      headers: CLIENT_HEADERS,
      params: z.strictObject({ sessionId: Id }),
      status: 204,
      run: (ctx) => accounts.endSession(ctx.auth, ctx.params.sessionId, clientOf(ctx)),
    }),
  ];
}
