import { App, us_socket_local_port } from 'uWebSockets.js';
import { AccessTokens } from '../src/accounts/AccessTokens.ts';
import { SystemClock } from '../src/clock.ts';
import { DuetError } from '../src/errors.ts';
import type { Route } from '../src/http/route.ts';
import { Router } from '../src/http/router.ts';
import { newId } from '../src/ids.ts';
import { createLog } from '../src/log.ts';
import { listenOn } from '../src/transport/uws.ts';

/** Signs the access tokens of every side of a benchmark, on loopback only. */
export const TOKEN_SECRET = 'the secret of a benchmark on loopback';

/** An access token of somebody. */
export async function tokenOf(userId: string): Promise<string> {
  const { token } = await accessTokens().sign({ userId, sessionId: newId(), role: 'user' });
  return token;
}

/** Duet's router with these routes and its real check of access tokens, without limits. Resolves with the port. */
export async function serveRoutes(routes: readonly Route[]): Promise<number> {
  const tokens = accessTokens();
  const router = new Router(
    {
      authenticate: (authorization) => {
        const principal = tokens.verify(authorization.slice('Bearer '.length));
        if (principal === undefined) throw new DuetError('UNAUTHORIZED');
        return principal;
      },
      hasEnded: () => false,
      isStranger: () => true,
      limit: () => {},
      observe: () => {},
      log: createLog('silent'),
      clock: new SystemClock(),
    },
    {
      allowedOrigins: [],
      trustedProxies: [],
      bodyCapBytes: 65_536,
      slowBodyMs: 10_000,
      checkResponses: false,
      hsts: false,
    },
  );
  router.add(routes);
  const app = App();
  router.bind(app);
  return us_socket_local_port(await listenOn(app, '127.0.0.1', 0));
}

function accessTokens(): AccessTokens {
  return new AccessTokens({ clock: new SystemClock(), secrets: { current: TOKEN_SECRET } });
}
