import { z } from 'zod';
import { DuetError } from '../../../src/errors.ts';
import { rawBody, route } from '../../../src/http/route.ts';
import { Id, Page } from '../../../src/shapes.ts';

/** A handful of routes, one of each kind. */

const tags = ['test'];
const Text = z.strictObject({ text: z.string().max(1_000), note: z.string().optional() });
const shared = { city: 'Lyon' };

export const fakeRoutes = [
  route({
    method: 'get',
    path: '/ping',
    summary: 'Answers.',
    tags,
    who: 'anyone',
    limit: 'none',
    status: 200,
    out: z.strictObject({ ok: z.boolean() }),
    run: () => ({ ok: true }),
  }),
  route({
    method: 'get',
    path: '/later',
    summary: 'Answers in another turn of the event loop.',
    tags,
    who: 'anyone',
    limit: 'anonymous',
    status: 200,
    out: z.strictObject({ ok: z.boolean() }),
    run: async () => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      return { ok: true };
    },
  }),
  route({
    method: 'get',
    path: '/whoami',
    summary: 'Tells what the server knows of the caller.',
    tags,
    who: 'user',
    limit: 'browse',
    headers: ['x-device-id', 'cookie'],
    sends: { 'x-device-id': 'The device.' },
    status: 200,
    out: z.strictObject({ userId: z.string(), address: z.string(), device: z.string(), cookie: z.string() }),
    run: (ctx) => {
      ctx.setHeader('x-device-id', 'd-1');
      const { userId } = ctx.auth;
      return {
        userId,
        address: ctx.address,
        device: ctx.header('x-device-id'),
        cookie: ctx.cookie('csrf') ?? '',
      };
    },
  }),
  route({
    method: 'get',
    path: '/people/:personId',
    summary: 'Reads one.',
    tags,
    who: 'anyone',
    limit: 'browse',
    params: z.object({ personId: Id }),
    status: 200,
    out: z.strictObject({ personId: z.string() }),
    run: (ctx) => ({ personId: ctx.params.personId }),
  }),
  route({
    method: 'get',
    path: '/people',
    summary: 'Lists.',
    tags,
    who: 'anyone',
    limit: 'browse',
    query: Page,
    status: 200,
    out: z.strictObject({ limit: z.number(), cursor: z.string().nullable() }),
    run: (ctx) => ({ limit: ctx.query.limit, cursor: ctx.query.cursor ?? null }),
  }),
  route({
    method: 'get',
    path: '/twice',
    summary: 'Answers with one object in two places.',
    tags,
    who: 'anyone',
    limit: 'none',
    status: 200,
    out: z.strictObject({
      from: z.strictObject({ city: z.string() }),
      to: z.strictObject({ city: z.string() }),
    }),
    run: () => ({ from: shared, to: shared }),
  }),
  route({
    method: 'post',
    path: '/echo',
    summary: 'Gives back what it was given.',
    tags,
    who: 'anyone',
    limit: 'write',
    body: Text,
    status: 200,
    out: Text,
    run: (ctx) => ctx.body,
  }),
  route({
    method: 'post',
    path: '/people/:personId/like',
    summary: 'Takes no fields.',
    tags,
    who: 'user',
    limit: 'decide',
    params: z.object({ personId: Id }),
    status: 204,
    run: async () => {},
  }),
  route({
    method: 'put',
    path: '/people/me',
    summary: 'Writes.',
    tags,
    who: 'user',
    limit: 'write',
    body: Text,
    status: 200,
    out: Text,
    run: (ctx) => ctx.body,
  }),
  route({
    method: 'patch',
    path: '/people/me',
    summary: 'Changes.',
    tags,
    who: 'user',
    limit: 'write',
    body: Text.partial(),
    status: 200,
    out: Text.partial(),
    run: async (ctx) => ctx.body,
  }),
  route({
    method: 'delete',
    path: '/people/me',
    summary: 'Removes.',
    tags,
    who: 'admin',
    limit: 'write',
    status: 204,
    run: () => {},
  }),
  route({
    method: 'post',
    path: '/photos',
    summary: 'Takes an image.',
    tags,
    who: 'user',
    limit: 'upload',
    body: rawBody({ types: ['image/jpeg', 'image/png'], maxBytes: 1024 * 1024 }),
    status: 201,
    out: z.strictObject({ bytes: z.number(), type: z.string(), sum: z.number() }),
    run: async ({ body }) => {
      const bytes = await body.bytes();
      const sum = bytes.reduce((total, byte) => (total + byte) % 65_521, 0);
      return { bytes: bytes.length, type: body.contentType, sum };
    },
  }),
  route({
    method: 'get',
    path: '/large',
    summary: 'Answers with more than a socket takes at once.',
    tags,
    who: 'anyone',
    limit: 'none',
    status: 200,
    run: async (ctx) => ctx.reply({ headers: { 'content-type': 'application/octet-stream' }, body: LARGE }),
  }),
  route({
    method: 'get',
    path: '/broken/:how',
    summary: 'Fails.',
    tags,
    who: 'anyone',
    limit: 'none',
    params: z.object({
      how: z.enum(['sync', 'async', 'database', 'refused', 'circle', 'undeclared', 'header']),
    }),
    status: 200,
    out: z.any(),
    sends: { 'x-name': 'A name.' },
    run: (ctx) => failures[ctx.params.how](ctx),
  }),
];

export const LARGE = Buffer.alloc(8 * 1024 * 1024, 'duet');

const failures = {
  sync: (): unknown => {
    throw new Error('secret of the sync handler at /srv/duet');
  },
  async: async (): Promise<unknown> => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    throw new Error('secret of the async handler');
  },
  database: async (): Promise<unknown> => {
    throw Object.assign(new Error('insert into "user" values (secret@duet.test)'), {
      cause: Object.assign(new Error('the database is shutting down'), { code: '57P01' }),
    });
  },
  refused: (): unknown => {
    throw new DuetError('TOO_MANY_REQUESTS', { retryAfterSec: 2.5 });
  },
  circle: (): unknown => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    return circle;
  },
  undeclared: (): unknown => undefined,
  header: (ctx: { setHeader(name: 'x-name', value: string): void }): unknown => {
    ctx.setHeader('x-name', 'a\r\nset-cookie: evil=1');
    return {};
  },
};
