import { z } from 'zod';
import { DuetError } from '../../errors.ts';
import type { Metrics } from '../../platform/Metrics.ts';
import { type Route, route } from '../route.ts';

/** Whether each thing that requests depend on answers now. */
export type Readiness = { status: 'ready' | 'draining' | 'down'; checks: Record<string, 'up' | 'down'> };

const LOOPBACK = /^(127\.|::1$)/;
/** What a scraper on this machine calls it by. */
const OWN_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;
/** What proxies add: behind one that is not in TRUSTED_PROXIES everybody comes from this machine. */
const FORWARDED = [
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
] as const;

export function healthRoutes(options: { readiness: () => Promise<Readiness>; metrics: Metrics }): Route[] {
  return [
    route({
      method: 'get',
      base: '',
      path: '/health/liveness',
      summary: 'Whether the process is alive',
      tags: ['health'],
      who: 'anyone',
      limit: 'none',
      status: 200,
      out: z.strictObject({ status: z.literal('alive') }),
      run: () => ({ status: 'alive' as const }),
    }),
    route({
      method: 'get',
      base: '',
      path: '/health/readiness',
      summary: 'Whether requests can be served: 503 while a dependency is down or the process drains',
      tags: ['health'],
      who: 'anyone',
      limit: 'none',
      status: 200,
      alsoStatus: 503,
      sends: { 'retry-after': 'With 503: in how many seconds to ask again.' },
      out: z.strictObject({
        status: z.enum(['ready', 'draining', 'down']),
        checks: z.record(z.string(), z.enum(['up', 'down'])),
      }),
      run: async (ctx) => {
        const readiness = await options.readiness();
        if (readiness.status === 'ready') return readiness;
        return ctx.reply({ status: 503, headers: { 'retry-after': '1' }, body: readiness });
      },
    }),
    route({
      method: 'get',
      base: '',
      path: '/metrics',
      summary:
        'Prometheus metrics, to this machine only and not through a proxy: a scraper elsewhere has an agent or tunnel here',
      tags: ['health'],
      hidden: true,
      who: 'anyone',
      limit: 'none',
      headers: ['host', ...FORWARDED],
      status: 200,
      run: async (ctx) => {
        const isForwarded = FORWARDED.some((name) => ctx.header(name) !== '');
        if (!LOOPBACK.test(ctx.address) || isForwarded || !OWN_HOST.test(ctx.header('host')))
          throw new DuetError('NOT_FOUND');
        return ctx.reply({
          headers: { 'content-type': 'text/plain; version=0.0.4' },
          body: await options.metrics.text(),
        });
      },
    }),
  ];
}
