/**
 * What a request costs the server: the routes as Duet serves them beside node:http doing the same, in one run.
 *
 *     node loadtest/httpPing.ts [seconds a round] [rounds]
 *
 * Each server is a process of its own; its own CPU time is divided by the requests that it answered, so that it does
 * not matter how fast this process can ask. Rounds alternate and the best of each counts. Ratios carry over to other
 * machines, figures do not.
 */

import { App, us_socket_local_port } from 'uWebSockets.js';
import { fork } from 'node:child_process';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { z } from 'zod';
import { SystemClock } from '../src/clock.ts';
import { route } from '../src/http/route.ts';
import { Router } from '../src/http/router.ts';
import { createLog } from '../src/log.ts';
import { listenOn } from '../src/transport/uws.ts';

type Kind = 'duet' | 'node:http' | 'bare uWebSockets.js';

const KINDS: Kind[] = ['duet', 'node:http', 'bare uWebSockets.js'];
const CONNECTIONS = 64;
const Message = z.strictObject({ text: z.string().max(100), count: z.int() });
const body = JSON.stringify({ text: 'hello', count: 3 });
const REQUESTS = {
  'GET without a caller': 'GET /api/v1/ping HTTP/1.1\r\nhost: x\r\n\r\n',
  'GET with a caller': 'GET /api/v1/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer abc\r\n\r\n',
  'POST, validated': `POST /api/v1/echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
};

async function compare(seconds: number, rounds: number): Promise<void> {
  for (const [name, request] of Object.entries(REQUESTS)) {
    const best = new Map<Kind, number>();
    for (let round = 0; round < rounds; round++) {
      for (const kind of KINDS) {
        const cost = await measure(kind, request, seconds);
        best.set(kind, Math.min(cost, best.get(kind) ?? Number.POSITIVE_INFINITY));
      }
    }
    const duet = best.get('duet')!;
    const others = KINDS.slice(1).map(
      (kind) => `${kind} ${best.get(kind)!.toFixed(1)} (${(best.get(kind)! / duet).toFixed(2)}x)`,
    );
    console.log(`${name}: duet ${duet.toFixed(1)} us of CPU a request; ${others.join('; ')}`);
  }
}

/** Microseconds of the server's CPU for one request. */
async function measure(kind: Kind, request: string, seconds: number): Promise<number> {
  const child = fork(import.meta.filename, [kind], { serialization: 'advanced' });
  const ask = (question: string) =>
    new Promise<number>((resolve) => {
      child.once('message', (answer) => resolve(Number(answer)));
      child.send(question);
    });
  const port = await new Promise<number>((resolve) =>
    child.once('message', (answer) => resolve(Number(answer))),
  );
  const load = new Load(port, request);
  await load.run(0.5);
  const before = await ask('cpu');
  const answered = await load.run(seconds);
  const after = await ask('cpu');
  load.close();
  child.kill();
  return (after - before) / answered;
}

class Load {
  readonly #sockets: Socket[] = [];
  #answers = 0;
  #running = false;

  constructor(port: number, request: string) {
    for (let i = 0; i < CONNECTIONS; i++) {
      const socket = connect(port, '127.0.0.1');
      socket.setNoDelay(true);
      socket.on('data', () => {
        this.#answers++;
        if (this.#running) socket.write(request);
        else this.#idle.push(() => socket.write(request));
      });
      socket.once('connect', () => this.#idle.push(() => socket.write(request)));
      this.#sockets.push(socket);
    }
  }

  #idle: (() => void)[] = [];

  async run(seconds: number): Promise<number> {
    while (this.#idle.length < CONNECTIONS) await new Promise((resolve) => setTimeout(resolve, 5));
    const start = this.#answers;
    this.#running = true;
    for (const send of this.#idle.splice(0)) send();
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    this.#running = false;
    while (this.#idle.length < CONNECTIONS) await new Promise((resolve) => setTimeout(resolve, 1));
    return this.#answers - start;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

async function serve(kind: Kind): Promise<void> {
  const port = await { duet: serveDuet, 'node:http': serveNode, 'bare uWebSockets.js': serveBare }[kind]();
  process.send!(port);
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send!(user + system);
  });
}

async function serveDuet(): Promise<number> {
  const shared = { summary: '', tags: [], limit: 'browse', status: 200 } as const;
  const clock = new SystemClock();
  const router = new Router(
    {
      authenticate: () => ({ userId: 'u', sessionId: 's', role: 'user' }),
      limit: () => {},
      observe: () => {},
      log: createLog('silent'),
      clock,
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
  router.add([
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
  const app = App();
  router.bind(app);
  return us_socket_local_port(await listenOn(app, '127.0.0.1', 0));
}

async function serveNode(): Promise<number> {
  const server = createServer((req, res) => {
    const answer = (value: unknown) => {
      const text = JSON.stringify(value);
      res.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
      res.end(text);
    };
    if (req.method === 'GET') {
      answer(req.url === '/api/v1/ping' ? { ok: true } : { id: req.headers.authorization });
      return;
    }
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => answer(Message.parse(JSON.parse(Buffer.concat(chunks).toString()))));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

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

if (process.send === undefined) await compare(Number(process.argv[2] ?? 2), Number(process.argv[3] ?? 3));
else await serve(process.argv[2] as Kind);
