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
import { CALLER_HEADERS, callerOf } from '../../accounts/caller.ts';
import type { Lookups } from '../../accounts/Lookups.ts';
import type { Standing } from '../../accounts/Standing.ts';
import type { Clock } from '../../clock.ts';
import { DuetError } from '../../errors.ts';
import type { ReportDesk } from '../../safety/ReportDesk.ts';
import { Report, ReportHandling, ReportQuery } from '../../safety/shapes.ts';
import { Id, listOf } from '../../shapes.ts';
import { type Route, route } from '../route.ts';

export interface AdminRoutesDeps {
  adminDesk: AdminDesk;
  standing: Standing;
  reportDesk: ReportDesk;
  lookups: Lookups;
  clock: Clock;
}

const tags = ['Admin'];
const UserParams = z.strictObject({ userId: Id });

/** What admins do. Everything is kept in the security log. */
export function adminRoutes({ adminDesk, standing, reportDesk, lookups, clock }: AdminRoutesDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/admin/users',
      summary: 'Accounts, the newest first',
      tags,
      who: 'admin',
      limit: 'browse',
      headers: CALLER_HEADERS,
      query: UserQuery,
      status: 200,
      out: listOf(AdminUser),
      async run(ctx) {
        const { query, status, tier, cursor } = ctx.query;
        await lookups.note(ctx.auth, 'accounts_listed', callerOf(ctx), {
          // The address itself is in no line of the log.
          email: query?.includes('@') ? query : undefined,
          details: {
            searched: query !== undefined,
            ...given({ status, tier }),
            further: cursor !== undefined,
          },
        });
        return adminDesk.list(ctx.query);
      },
    }),
    route({
      method: 'get',
      path: '/admin/users/:userId',
      summary: 'One account',
      tags,
      who: 'admin',
      limit: 'browse',
      headers: CALLER_HEADERS,
      params: UserParams,
      status: 200,
      out: AdminUser,
      run: (ctx) => adminDesk.look(ctx.auth, ctx.params.userId, callerOf(ctx)),
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
      headers: CALLER_HEADERS,
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
        await standing.change(ctx.auth, ctx.params.userId, change, callerOf(ctx));
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
      headers: CALLER_HEADERS,
      query: ReportQuery,
      status: 200,
      out: listOf(Report),
      async run(ctx) {
        const { status, cursor } = ctx.query;
        const details = { ...given({ status }), further: cursor !== undefined };
        await lookups.note(ctx.auth, 'reports_listed', callerOf(ctx), { details });
        return reportDesk.list(ctx.query);
      },
    }),
    route({
      method: 'patch',
      path: '/admin/reports/:reportId',
      summary: 'Note what is done about a report',
      tags,
      who: 'admin',
      limit: 'write',
      headers: CALLER_HEADERS,
      params: z.strictObject({ reportId: Id }),
      body: ReportHandling,
      status: 200,
      out: Report,
      run: (ctx) => reportDesk.handle(ctx.auth, ctx.params.reportId, ctx.body, callerOf(ctx)),
    }),
    route({
      method: 'get',
      path: '/admin/stats',
      summary: 'How the place does, just now',
      tags,
      who: 'admin',
      limit: 'browse',
      headers: CALLER_HEADERS,
      status: 200,
      out: Stats,
      async run(ctx) {
        await lookups.note(ctx.auth, 'stats_read', callerOf(ctx));
        return adminDesk.stats();
      },
    }),
    route({
      method: 'get',
      path: '/admin/audit',
      summary: 'The security log, the newest first',
      tags,
      who: 'admin',
      limit: 'browse',
      headers: CALLER_HEADERS,
      query: AuditQuery,
      status: 200,
      out: listOf(AuditItem),
      async run(ctx) {
        const { userId, actorId, action, cursor } = ctx.query;
        const details = { ...given({ userId, actorId, action }), further: cursor !== undefined };
        await lookups.note(ctx.auth, 'log_read', callerOf(ctx), { details });
        return adminDesk.log(ctx.query);
      },
    }),
  ];
}

/** The filters that were set. */
function given(filters: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(filters).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
