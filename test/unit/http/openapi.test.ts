import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { docsPage } from '../../../src/http/docsPage.ts';
import { documentationRoutes, openApiDocument } from '../../../src/http/openapi.ts';
import { Reply, rawBody, route } from '../../../src/http/route.ts';
import { Id, Page } from '../../../src/shapes.ts';

const Thing = z
  .strictObject({ id: Id, name: z.string().meta({ description: 'A <b>name</b>' }) })
  .meta({ id: 'Thing' });
const routes = [
  route({
    method: 'put',
    path: '/things/:thingId',
    summary: 'Writes a thing',
    tags: ['things'],
    who: 'user',
    limit: 'write',
    headers: ['x-auth-mode', 'user-agent', 'cookie', 'origin'],
    params: z.object({ thingId: Id }),
    query: Page,
    body: z.strictObject({ name: z.string() }),
    sends: { 'set-cookie': 'A cookie.' },
    status: 200,
    out: Thing,
    run: (ctx) => ({ id: ctx.params.thingId, name: ctx.body.name }),
  }),
  route({
    method: 'post',
    path: '/things/:thingId/picture',
    summary: 'Takes a picture',
    tags: ['things'],
    who: 'admin',
    limit: 'upload',
    params: z.object({ thingId: Id }),
    body: rawBody({ types: ['image/png'], maxBytes: 1_000 }),
    status: 204,
    run: () => {},
  }),
  route({
    method: 'get',
    path: '/things/:thingId/picture',
    summary: 'Shows a picture',
    tags: ['things'],
    who: 'anyone',
    limit: 'none',
    params: z.object({ thingId: Id }),
    status: 200,
    produces: 'image/png',
    run: () => new Reply({ body: new Uint8Array(1) }),
  }),
  route({
    method: 'get',
    base: '',
    path: '/secret',
    summary: 'Is not told of',
    tags: ['things'],
    hidden: true,
    who: 'anyone',
    limit: 'none',
    status: 204,
    run: () => {},
  }),
];

test('no route that changes something takes the access token from a cookie', () => {
  const declare = (method: 'get' | 'post') =>
    route({
      method,
      path: '/things',
      summary: 'Things',
      tags: ['things'],
      who: 'admin',
      tokenCookie: 'token',
      limit: 'browse',
      status: 204,
      run: () => {},
    });
  expect(declare('get').tokenCookie).toBe('token');
  expect(() => declare('post')).toThrow('cookie');
});

describe('openApiDocument', () => {
  const document = openApiDocument(routes, '1.2.3');

  test('is OpenAPI 3.1 of exactly the routes that are not hidden', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(document.info.version).toBe('1.2.3');
    expect(Object.keys(document.paths ?? {})).toEqual([
      '/api/v1/things/{thingId}',
      '/api/v1/things/{thingId}/picture',
    ]);
  });

  test('describes parameters, body, answers and who may call; no header that a client sends by itself', () => {
    const operation = document.paths?.['/api/v1/things/{thingId}']?.put;
    expect(operation?.operationId).toBe('putThingsByThingId');
    expect(operation?.parameters?.map((one) => ('name' in one ? `${one.in} ${one.name}` : ''))).toEqual([
      'path thingId',
      'query limit',
      'query cursor',
      'header x-auth-mode',
    ]);
    expect(operation?.security).toEqual([{ bearer: [] }]);
    expect(operation?.requestBody).toMatchObject({
      required: true,
      content: { 'application/json': { schema: { required: ['name'], additionalProperties: false } } },
    });
    expect(Object.keys(operation?.responses ?? {})).toEqual(['200', 'default']);
    const schemas = document.components?.schemas ?? {};
    expect(schemas.Thing).toMatchObject({ required: ['id', 'name'], additionalProperties: false });
    expect(schemas.Error).toMatchObject({ required: ['status', 'code', 'message', 'requestId'] });
  });

  test('describes the headers of answers: the route’s own, those of all, and those of errors', () => {
    const { responses } = document.paths!['/api/v1/things/{thingId}']!.put!;
    const headersOf = (answer: unknown) => Object.keys((answer as { headers: object }).headers);
    expect(headersOf(responses!['200'])).toEqual(['x-request-id', 'set-cookie']);
    expect(responses!['200']).toMatchObject({
      headers: { 'set-cookie': { description: 'A cookie.', schema: { type: 'string' } } },
    });
    expect(headersOf(responses!.default)).toEqual(['x-request-id', 'retry-after', 'www-authenticate']);
  });

  test('names the types of an upload', () => {
    const operation = document.paths?.['/api/v1/things/{thingId}/picture']?.post;
    expect(operation?.requestBody).toMatchObject({
      content: { 'image/png': { schema: { format: 'binary' } } },
    });
    expect(operation?.responses).toHaveProperty('204');
  });

  test('names the type of an answer that is no JSON of ours', () => {
    const operation = document.paths?.['/api/v1/things/{thingId}/picture']?.get;
    expect(operation?.responses?.[200]).toMatchObject({ content: { 'image/png': {} } });
    const served = documentationRoutes(routes, '1.2.3');
    const ofPage = openApiDocument(served, '1.2.3').paths?.['/docs']?.get;
    expect(ofPage?.responses?.[200]).toMatchObject({ content: { 'text/html': {} } });
  });
});

describe('the page', () => {
  const page = docsPage(openApiDocument(routes, '1.2.3'));

  test('shows every route, escaped, and loads nothing', () => {
    expect(page).toContain('/api/v1/things/{thingId}');
    expect(page).toContain('A &lt;b&gt;name&lt;/b&gt;');
    expect(page).not.toMatch(/<script|src=|https?:\/\//);
    expect(page).toContain('href="#Thing"');
  });

  test('is served with a policy that lets it have its own style only', () => {
    const served = documentationRoutes(routes, '1.2.3');
    expect(served.map(({ path }) => path)).toEqual(['/api/v1/openapi.json', '/docs']);
    const answer = served[1]!.run({ reply: (init: object) => init } as never) as {
      headers: Record<string, string>;
    };
    expect(answer.headers['content-security-policy']).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/]+=*';/,
    );
  });
});
