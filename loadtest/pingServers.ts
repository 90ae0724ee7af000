/** The servers that httpPing.ts compares: three routes each, in what is usual there. */
import { App, us_socket_local_port } from 'uWebSockets.js';
import { z } from 'zod';
import { route } from '../src/http/route.ts';
import { listenOn } from '../src/transport/uws.ts';
import { createExpress, jsonBody, listen, signedIn } from './express4.ts';
import { serveRoutes } from './serveRoutes.ts';
import { answerAsServer } from './wrk.ts';

export type PingServer = 'duet' | 'express' | 'bare';

const Message = z.strictObject({ text: z.string().max(100), count: z.int() });

function serveDuet(): Promise<number> {
  const shared = { summary: '', tags: [], limit: 'browse', status: 200 } as const;
  return serveRoutes([
    route({
      ...shared,
      method: 'get',
      path: '/ping',
      who: 'anyone',
      out: z.any(),
      run: () => ({ ok: true }),
    }),
    route({
      ...shared,
      method: 'get',
      path: '/me',
      who: 'user',
      out: z.any(),
      run: (ctx) => ({ id: ctx.auth.userId }),
    }),
    route({
      ...shared,
      method: 'post',
      path: '/echo',
      who: 'anyone',
      body: Message,
      out: Message,
      run: (ctx) => ctx.body,
    }),
  ]);
}

function serveExpress(): Promise<number> {
  const app = createExpress();
  app.get('/api/v1/ping', (_req, res) => res.json({ ok: true }));
  app.get('/api/v1/me', signedIn, (req, res) => res.json({ id: req.userId }));
  app.post('/api/v1/echo', jsonBody, (req, res) => res.json(Message.parse(req.body)));
  return listen(app);
}

/** uWebSockets.js with nothing around it: no checks, no headers, no token. What any router on it could reach. */
async function serveBare(): Promise<number> {
  const app = App();
  app.get('/*', (res) => {
    res.writeHeader('content-type', 'application/json').end('{"ok":true}');
  });
  app.post('/*', (res) => {
    res.onAborted(() => {});
    res.onData((chunk) => {
      const value = JSON.stringify(Message.parse(JSON.parse(Buffer.from(chunk).toString())));
      res.cork(() => res.writeHeader('content-type', 'application/json').end(value));
    });
  });
  return us_socket_local_port(await listenOn(app, '127.0.0.1', 0));
}

const serve = { duet: serveDuet, express: serveExpress, bare: serveBare };
answerAsServer(await serve[process.argv[2] as PingServer]());
