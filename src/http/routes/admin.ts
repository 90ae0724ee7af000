import { z } from 'zod';
import type { AdminDesk } from '../../accounts/AdminDesk.ts';
import {
  AdminUser,
  AuditItem,
  AuditQuery,
  Stats,
  StatusInput,
  UserQuery,
} from '../../accounts/adminShapes.ts';
import { CLIENT_HEADERS, clientOf } from '../../accounts/client.ts';
import type { Sanctions } from '../../accounts/Sanctions.ts';
import type { Clock } from '../../clock.ts';
import { DuetError } from '../../errors.ts';
import type { ReportDesk } from '../../safety/ReportDesk.ts';
import { Report, ReportHandling, ReportQuery } from '../../safety/shapes.ts';
import { Id, listOf } from '../../shapes.ts';
import { type Route, route } from '../route.ts';

export interface AdminRoutesDeps {
  adminDesk: AdminDesk;
  sanctions: Sanctions;
  reportDesk: ReportDesk;
  clock: Clock;
}

const tags = ['admin'];
const UserParams = z.strictObject({ userId: Id });

/** What admins do. Everything is kept in the security log. */
export function adminRoutes({ adminDesk, sanctions, reportDesk, clock }: AdminRoutesDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/admin/users',
      summary: 'Accounts, the newest first',
      tags,
      who: 'admin',
      limit: 'browse',
      headers: CLIENT_HEADERS,
      query: UserQuery,
      status: 200,
      out: listOf(AdminUser),
      run: (ctx) => adminDesk.list(ctx.auth, ctx.query, clientOf(ctx)),
    }),
    route({
      method: 'get',
      path: '/admin/users/:userId',
      summary: 'One account',
      tags,
      who: 'admin',
      limit: 'browse',
      headers: CLIENT_HEADERS,
      params: UserParams,
      status: 200,
      out: AdminUser,
      run: (ctx) => adminDesk.look(ctx.auth, ctx.params.userId, clientOf(ctx)),
    }),
    route({
      method: 'patch',
      path: '/admin/users/:userId/status',
      summary: 'Suspend, ban, or let back in',
      description:
        'In force everywhere within a second: sessions, sockets, a call and the matches end. 409 for admins, oneself included, and for an account that its owner deleted.',
      tags,
      who: 'admin',
      limit: 'write',
      headers: CLIENT_HEADERS,
      params: UserParams,
      body: StatusInput,
      status: 200,
      out: AdminUser,
      async run(ctx) {
        const { status, reason, until } = ctx.body;
        const untilMs = until === undefined ? undefined : Date.parse(until);
        if (untilMs !== undefined && untilMs <= clock.now()) {
          throw new DuetError('VALIDATION_FAILED', {
            details: [{ path: 'until', message: 'must lie ahead' }],
          });
        }
        const change = { status, reason, until: untilMs };
        await sanctions.change(ctx.auth, ctx.params.userId, change, clientOf(ctx));
        return adminDesk.find(ctx.params.userId);
      },
    }),
    route({
      method: 'get',
      path: '/admin/reports',
      summary: 'Reports, the newest first',
      tags,
      who: 'admin',
      limit: 'browse',
      headers: CLIENT_HEADERS,
      query: ReportQuery,
      status: 200,
      out: listOf(Report),
      run: (ctx) => reportDesk.list(ctx.auth, ctx.query, clientOf(ctx)),
    }),
    route({
      method: 'patch',
      path: '/admin/reports/:reportId',
      summary: 'Note what is done about a report',
      tags,
      who: 'admin',
      limit: 'write',
      headers: CLIENT_HEADERS,
      params: z.strictObject({ reportId: Id }),
      body: ReportHandling,
      status: 200,
      out: Report,
      run: (ctx) => reportDesk.handle(ctx.auth, ctx.params.reportId, ctx.body, clientOf(ctx)),
    }),
    route({
      method: 'get',
      path: '/admin/stats',
      summary: 'How the place does, just now',
      tags,
      who: 'admin',
      limit: 'browse',
      headers: CLIENT_HEADERS,
      status: 200,
      out: Stats,
      run: (ctx) => adminDesk.stats(ctx.auth, clientOf(ctx)),
    }),
    route({
      method: 'get',
      path: '/admin/audit',
      summary: 'The security log, the newest first',
      tags,
      who: 'admin',
      limit: 'browse',
      headers: CLIENT_HEADERS,
      query: AuditQuery,
      status: 200,
      out: listOf(AuditItem),
      run: (ctx) => adminDesk.log(ctx.auth, ctx.query, clientOf(ctx)),
    }),
  ];
}
