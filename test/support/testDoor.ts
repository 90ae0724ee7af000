import type { Room } from '@colyseus/core';
import { SystemClock } from '../../src/clock.ts';
import { DuetError } from '../../src/errors.ts';
import type { PipelineConfig, PipelinePorts } from '../../src/http/Pipeline.ts';
import type { Route } from '../../src/http/route.ts';
import { Router } from '../../src/http/router.ts';
import type { StaticFile } from '../../src/http/staticFiles.ts';
import type { Log } from '../../src/log.ts';
import { HardenedTransport, type TransportOptions } from '../../src/transport/HardenedTransport.ts';

export const ALLOWED_ORIGIN = 'https://duet.example';

/** A log that keeps its lines. */
export class MemoryLog implements Log {
  readonly lines: { level: string; fields: object; message: string }[] = [];

  debug(fields: object, message: string): void {
    this.lines.push({ level: 'debug', fields, message });
  }
  info(fields: object, message: string): void {
    this.lines.push({ level: 'info', fields, message });
  }
  warn(fields: object, message: string): void {
    this.lines.push({ level: 'warn', fields, message });
  }
  error(fields: object, message: string): void {
    this.lines.push({ level: 'error', fields, message });
  }
  child(): Log {
    return this;
  }
}

export type TestDoor = AsyncDisposable & {
  port: number;
  url: string;
  transport: HardenedTransport;
  router: Router;
  log: MemoryLog;
  observed: { route: string; status: number; durationMs: number }[];
};

/**
 * The HTTP door and the transport as the server has them, on a free port of 127.0.0.1, without anything behind. The
 * header `authorization: Bearer user:NAME` (or `admin:NAME`, or `slow:NAME`, answered a little later) signs in.
 */
export async function openTestDoor(options: {
  routes?: Route[];
  files?: StaticFile[];
  config?: Partial<PipelineConfig>;
  ports?: Partial<PipelinePorts>;
  transport?: Partial<TransportOptions>;
  rooms?: (roomId: string) => Room | undefined;
}): Promise<TestDoor> {
  const log = new MemoryLog();
  const clock = options.ports?.clock ?? new SystemClock();
  const observed: TestDoor['observed'] = [];
  const transport = new HardenedTransport({
    findRoom: options.rooms ?? (() => undefined),
    allowedOrigins: new Set([ALLOWED_ORIGIN]),
    trustedProxies: [],
    socketLimits: { perUser: 20, perAddress: 200 },
    log,
    clock,
    ...options.transport,
  });
  const router = new Router(
    {
      authenticate,
      hasEnded: () => false,
      isStranger: (authorization) => authorization !== 'Bearer expired',
      limit: () => {},
      observe: (route, status, durationMs) => observed.push({ route, status, durationMs }),
      log,
      clock,
      ...options.ports,
    },
    {
      allowedOrigins: [ALLOWED_ORIGIN],
      trustedProxies: [],
      bodyCapBytes: 64 * 1024,
      slowBodyMs: 10_000,
      checkResponses: true,
      hsts: false,
      ...options.config,
    },
  );
  router.add(options.routes ?? []);
  router.addFiles(options.files ?? []);
  router.bind(transport.app);
  const port = await transport.open(0, '127.0.0.1');
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    transport,
    router,
    log,
    observed,
    async [Symbol.asyncDispose]() {
      router.close();
      transport.close();
    },
  };
}

function authenticate(authorization: string): ReturnType<PipelinePorts['authenticate']> {
  const match = /^Bearer (user|admin|slow):(\w+)$/.exec(authorization);
  if (match === null) throw new DuetError('UNAUTHORIZED');
  const auth = {
    userId: match[2]!,
    sessionId: 's',
    role: match[1] === 'admin' ? ('admin' as const) : ('user' as const),
  };
  if (match[1] !== 'slow') return auth;
  return new Promise((resolve) => setTimeout(() => resolve(auth), 20));
}
