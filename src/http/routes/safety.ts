import { z } from 'zod';
import { newId } from '../../ids.ts';
import type { Blocks } from '../../safety/Blocks.ts';
import type { Reports } from '../../safety/Reports.ts';
import { Blocked, ReportInput } from '../../safety/shapes.ts';
import { Id, listOf, Page } from '../../shapes.ts';
import { type Route, route } from '../route.ts';

export interface SafetyRoutesDeps {
  blocks: Blocks;
  reports: Reports;
}

const tags = ['safety'];
const UserParams = z.strictObject({ userId: Id });

/** Blocks and reports. */
export function safetyRoutes({ blocks, reports }: SafetyRoutesDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/users/blocked',
      summary: 'Whom you blocked',
      tags,
      who: 'user',
      limit: 'browse',
      query: Page,
      status: 200,
      out: listOf(Blocked),
      run: ({ auth, query }) => blocks.list(auth.userId, query),
    }),
    route({
      method: 'post',
      path: '/users/block/:userId',
      summary: 'Block somebody',
      description: 'In force both ways within a second; a match and a call between you end at once.',
      tags,
      who: 'user',
      limit: 'safety',
      params: UserParams,
      status: 204,
      run: ({ auth, params, once }) => once(() => blocks.block(auth.userId, params.userId)),
    }),
    route({
      method: 'delete',
      path: '/users/block/:userId',
      summary: 'Take a block back',
      tags,
      who: 'user',
      limit: 'safety',
      params: UserParams,
      status: 204,
      run: ({ auth, params }) => blocks.unblock(auth.userId, params.userId),
    }),
    route({
      method: 'post',
      path: '/users/report/:userId',
      summary: 'Report somebody, and block them unless told otherwise',
      tags,
      who: 'user',
      limit: 'safety',
      params: UserParams,
      body: ReportInput,
      status: 201,
      out: z.strictObject({ reportId: Id }),
      run: ({ auth, params, body, once }) =>
        once(async (remember) => reports.report(auth.userId, params.userId, body, await remember(newId))),
    }),
  ];
}
