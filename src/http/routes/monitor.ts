import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, freemem, loadavg, totalmem } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { AdminDesk } from '../../accounts/AdminDesk.ts';
import { CLIENT_HEADERS, clientOf } from '../../accounts/client.ts';
import type { Clock } from '../../clock.ts';
import { DuetError } from '../../errors.ts';
import { type Route, type RouteContext, route } from '../route.ts';
import { contentSecurityPolicy } from '../staticFiles.ts';

/** A room as the monitor lists it. */
interface ListedRoom {
  roomId: string;
  name: string;
  processId: string;
  clients: number;
  maxClients: number;
  locked?: boolean;
  createdAt?: Date | number;
}

export interface MonitorRoutesDeps {
  adminDesk: AdminDesk;
  /** The rooms of every process. */
  listRooms: () => Promise<ListedRoom[]>;
  clock: Clock;
}

const COOKIE = 'duet_monitor';
const COOKIE_SEC = 900;
const MB = 1024 * 1024;
const PAGE = join(dirname(fileURLToPath(import.meta.resolve('@colyseus/monitor'))), 'static');
const TYPES: Record<string, string> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};
const tags = ['admin'];

type Context = Pick<RouteContext<'admin', unknown, unknown, unknown, never, never>, 'params' | 'query'>;

/**
 * The Colyseus monitor, for admins: its page over an API of our own, since the library's has no sign-in and a GET
 * that calls any method of any room. Here nothing can be changed, and no room is looked into: who talks to whom, and
 * what their devices say, is not for looking at.
 */
export function monitorRoutes({ adminDesk, listRooms, clock }: MonitorRoutesDeps): Route[] {
  const html = readFileSync(join(PAGE, 'index.html'), 'utf8')
    .replaceAll('./assets/', '/monitor/assets/')
    // The icons would come from elsewhere, and tell that place who looks.
    .replace(/\s*<link href="https:[^>]*>/g, '');
  const assets = new Map(
    readdirSync(join(PAGE, 'assets'))
      .filter((name) => TYPES[extname(name)] !== undefined)
      .map((name) => [name, readFileSync(join(PAGE, 'assets', name))]),
  );

  /** By bearer or, in a browser's address bar, by the cookie of `POST /monitor/session`. Looking is kept in the security log. */
  const look = <Params extends z.ZodType | undefined, Query extends z.ZodType | undefined>(
    path: `/${string}`,
    summary: string,
    declared: { params?: Params; query?: Query },
    run: (ctx: Context) => unknown,
  ): Route =>
    route({
      method: 'get',
      base: '',
      path,
      summary,
      tags,
      hidden: true,
      who: 'admin',
      tokenCookie: COOKIE,
      // The page asks 180 times in the 15 minutes.
      limit: 'browse',
      headers: CLIENT_HEADERS,
      ...declared,
      sends: { 'content-security-policy': 'Of the page.' },
      status: 200,
      run: async (ctx) => {
        await adminDesk.watch(ctx.auth, clientOf(ctx));
        const answer = await run(ctx as unknown as Context);
        return ctx.reply(answer as Parameters<typeof ctx.reply>[0]);
      },
    });

  const listed = (room: ListedRoom) => ({
    roomId: room.roomId,
    name: room.name,
    processId: room.processId,
    clients: room.clients,
    maxClients: `${room.maxClients}`,
    locked: room.locked ?? false,
    elapsedTime: room.createdAt === undefined ? 0 : clock.now() - new Date(room.createdAt).getTime(),
  });

  return [
    route({
      method: 'post',
      base: '',
      path: '/monitor/session',
      summary: 'Lets a browser of an admin open /monitor for 15 minutes',
      tags,
      hidden: true,
      who: 'admin',
      limit: 'write',
      headers: ['authorization', ...CLIENT_HEADERS],
      sends: { 'set-cookie': 'The token, for /monitor alone.' },
      status: 204,
      async run(ctx) {
        await adminDesk.watch(ctx.auth, clientOf(ctx));
        const token = ctx.header('authorization').replace(/^Bearer /i, '');
        const attributes = `Path=/monitor; Max-Age=${COOKIE_SEC}; HttpOnly; Secure; SameSite=Strict`;
        ctx.setHeader('set-cookie', `${COOKIE}=${token}; ${attributes}`);
      },
    }),
    look('/monitor', 'The monitor', {}, () => ({
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': contentSecurityPolicy([]),
      },
      body: html,
    })),
    look(
      '/monitor/assets/:name',
      'A file of its page',
      { params: z.strictObject({ name: z.string() }) },
      (ctx) => {
        const { name } = ctx.params as { name: string };
        const body = assets.get(name);
        if (body === undefined) throw new DuetError('NOT_FOUND');
        return { headers: { 'content-type': TYPES[extname(name)]! }, body };
      },
    ),
    look('/monitor/api', 'The rooms of every process', {}, async () => {
      const rooms = await listRooms();
      const memory = {
        totalMemMb: totalmem() / MB,
        usedMemMb: (totalmem() - freemem()) / MB,
        rssMb: process.memoryUsage.rss() / MB,
      };
      return {
        body: {
          columns: ['roomId', 'name', 'clients', 'maxClients', 'locked', 'elapsedTime'],
          rooms: rooms.map(listed),
          connections: rooms.reduce((sum, room) => sum + room.clients, 0),
          cpu: Math.min(100, (100 * loadavg()[0]!) / availableParallelism()),
          memory,
        },
      };
    }),
    look(
      '/monitor/api/room',
      'One room',
      { query: z.strictObject({ roomId: z.string().max(128) }) },
      async (ctx) => {
        const { roomId } = ctx.query as { roomId: string };
        const room = (await listRooms()).find((one) => one.roomId === roomId);
        if (room === undefined) throw new DuetError('NOT_FOUND');
        return { body: { ...listed(room), clients: [], state: {}, stateSize: 0 } };
      },
    ),
  ];
}
