import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import {
  createDocument,
  type ZodOpenApiObject,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
} from 'zod-openapi';
import { refusalFields } from '../shapes.ts';
import { ERROR_HEADERS } from './content.ts';
import { DOCS_POLICY, docsPage } from './docsPage.ts';
import { isRawBody, type Route, route } from './route.ts';

/** The documentation, from the declarations that the router serves: OpenAPI 3.1 and a page to read it on. */

export type OpenApiDocument = ReturnType<typeof createDocument>;

const ErrorAnswer = z
  .strictObject({
    status: z.int(),
    ...refusalFields,
    requestId: z.string(),
  })
  .meta({ id: 'Error', description: 'Every answer that is not a success.' });

/** Request headers that a client, or what it is made with, sends by itself: nobody passes them to an operation. */
const SENT_ANYWAY = new Set(['cookie', 'host', 'origin', 'sec-fetch-site', 'user-agent']);

const CACHED = { 'cache-control': '`no-cache`' };
/** Of every answer. */
const REQUEST_ID = { 'x-request-id': 'Names this request in the logs; `requestId` of an error.' };

const json = (schema: z.ZodType) => ({ content: { 'application/json': { schema } } });

/** The OpenAPI document of `routes`; hidden ones are left out. */
export function openApiDocument(routes: readonly Route[], version: string): OpenApiDocument {
  const paths: ZodOpenApiPathsObject = {};
  for (const shown of routes.filter((one) => !one.hidden)) {
    const path = shown.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [shown.method]: operation(shown) };
  }
  const document: ZodOpenApiObject = {
    openapi: '3.1.0',
    info: { title: 'Duet', version, license: { name: 'MIT', identifier: 'MIT' } },
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
  };
  return createDocument(document);
}

/** `/api/v1/openapi.json` and `/docs`, about `routes` and themselves. */
export function documentationRoutes(routes: readonly Route[], version: string): Route[] {
  // As bytes: every answer goes out from the same memory.
  let text: Buffer | undefined;
  let page: Buffer | undefined;
  const document = () => openApiDocument([...routes, ...own], version);
  const own: Route[] = [
    route({
      method: 'get',
      path: '/openapi.json',
      summary: 'This documentation, as OpenAPI 3.1',
      tags: ['documentation'],
      who: 'anyone',
      limit: 'none',
      status: 200,
      produces: 'application/json',
      sends: CACHED,
      run: (ctx) => {
        text ??= Buffer.from(JSON.stringify(document()));
        return ctx.reply({ headers: { 'cache-control': 'no-cache' }, body: text });
      },
    }),
    route({
      method: 'get',
      base: '',
      path: '/docs',
      summary: 'This documentation, as a page',
      tags: ['documentation'],
      who: 'anyone',
      limit: 'none',
      status: 200,
      produces: 'text/html',
      sends: { ...CACHED, 'content-security-policy': 'Its own style and nothing else.' },
      run: (ctx) => {
        page ??= Buffer.from(docsPage(document()));
        const headers = {
          'content-type': 'text/html; charset=utf-8',
          'cache-control': 'no-cache',
          'content-security-policy': DOCS_POLICY,
        };
        return ctx.reply({ headers, body: page });
      },
    }),
  ];
  return own;
}

function operation(shown: Route): ZodOpenApiOperationObject {
  const { body, params, query, out, produces } = shown;
  const content =
    out !== undefined ? json(out) : produces !== undefined ? { content: { [produces]: {} } } : {};
  const answer = (status: number) => ({
    [status]: {
      description: STATUS_CODES[status] ?? '',
      headers: described({ ...REQUEST_ID, ...shown.sends }),
      ...content,
    },
  });
  const headers = shown.headers.filter((name) => !SENT_ANYWAY.has(name));
  const made: ZodOpenApiOperationObject = {
    operationId: operationId(shown),
    summary: shown.summary,
    tags: [...shown.tags],
    responses: {
      ...answer(shown.status),
      ...(shown.alsoStatus !== undefined && answer(shown.alsoStatus)),
      default: {
        description: 'Refused or failed',
        headers: described({ ...REQUEST_ID, ...ERROR_HEADERS }),
        ...json(ErrorAnswer),
      },
    },
  };
  if (shown.description !== undefined) made.description = shown.description;
  made.security = shown.who === 'anyone' ? [] : [{ bearer: shown.who === 'admin' ? ['admin'] : [] }];
  if (params instanceof z.ZodObject) made.requestParams = { path: params };
  if (query instanceof z.ZodObject) made.requestParams = { ...made.requestParams, query };
  if (headers.length > 0) {
    const header = z.object(Object.fromEntries(headers.map((name) => [name, z.string().optional()])));
    made.requestParams = { ...made.requestParams, header };
  }
  if (body !== undefined && isRawBody(body)) {
    const bytes = z.string().meta({ description: `At most ${body.maxBytes} bytes.`, format: 'binary' });
    made.requestBody = {
      required: true,
      content: Object.fromEntries(body.types.map((type) => [type, { schema: bytes }])),
    };
  } else if (body !== undefined) {
    made.requestBody = { required: !body.safeParse({}).success, ...json(body) };
  }
  return made;
}

function described(headers: Readonly<Record<string, string>>) {
  const schema = { type: 'string' } as const;
  return Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [name, { description, schema }]),
  );
}

/** `postMatchesLikeByUserId` for POST /api/v1/matches/like/:userId. */
function operationId(shown: Route): string {
  const words = shown.path
    .replace('/api/v1', '')
    .split(/[^A-Za-z0-9:]+/)
    .filter(Boolean);
  const named = words.map((word) => (word.startsWith(':') ? `by${capital(word.slice(1))}` : word));
  return shown.method + named.map(capital).join('');
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
