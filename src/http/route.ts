import { z } from 'zod';
import type { Principal } from '../accounts/AccessTokens.ts';
import type { ErrorCode } from '../errors.ts';

/**
 * HTTP routes are declared once: who may ask, what comes in, what goes out, what runs. The router serves the
 * declaration and `openapi.ts` documents it, so the two cannot differ.
 */

export type RouteMethod = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** Who may ask: anybody, a signed-in user (admins included), or an admin only. */
export type RouteWho = 'anyone' | 'user' | 'admin';

/**
 * Which allowance a request counts against. `live` is for what rings somebody and keeps a call going, `safety` for
 * what gets somebody out of trouble: nothing else uses them up, and each session is counted by itself. `none` is for
 * what must never be refused.
 */
export type RouteLimit = 'anonymous' | 'browse' | 'decide' | 'write' | 'upload' | 'live' | 'safety' | 'none';

/** A body that is not JSON: bytes of one of `types`, `maxBytes` at most. `ctx.body` is a `RawUpload`. */
export type RawBody = {
  readonly types: readonly string[];
  readonly maxBytes: number;
  /** Whether the first bytes (16, or all there are) are of one of the types, whatever the header says. */
  readonly looksRight?: (start: Buffer) => boolean;
};

/** Such a body in full. It is not in memory; it is gone when the handler is done. */
export interface RawUpload {
  readonly contentType: string;
  readonly size: number;
  /** All of it, in memory: ask for it when it is needed. */
  bytes(): Promise<Buffer>;
  /** SHA-256. */
  digest(): Promise<Buffer>;
}

/** An answer with a status or headers of its own. A string or bytes go out as they are, anything else as JSON. */
export type ReplyInit = { status?: number; headers?: Record<string, string>; body?: unknown };

export class Reply {
  readonly status: number | undefined;
  readonly headers: Record<string, string>;
  readonly body: unknown;

  constructor(init: ReplyInit) {
    this.status = init.status;
    this.headers = init.headers ?? {};
    this.body = init.body;
  }

  /** Whether the body goes out as it stands, and not as JSON. */
  get isAsItIs(): boolean {
    return this.body === undefined || typeof this.body === 'string' || this.body instanceof Uint8Array;
  }
}

/**
 * Remembers what a request is to do, such as the id of what it makes. Sent again under the same `Idempotency-Key`, after
 * a failure that leaves open whether it was done, the request is given what was remembered the first time; so whatever
 * there is by then is found, and not made again. Once a request.
 */
export type Remember = <T extends string>(choose: () => T | Promise<T>) => Promise<T>;

/** Ids, and words that say nothing of anybody: all that may be kept of what a request did. */
// biome-ignore lint/suspicious/noConfusingVoidType: work without a result is a function without a return.
type Ids<T> = string | void | { readonly [Name in keyof T]: string | null };

/**
 * Does what a request is to do. Sent again under the same `Idempotency-Key`, the request is given what came of it the first
 * time, and nothing is done: the answer is made from that, anew. Once a request. What is done without it is done each
 * time.
 */
export type Once = <T extends Ids<T>>(work: (remember: Remember) => Promise<T>) => Promise<T>;

/** What a handler sees of a request. Nothing of the socket is in it, so it may be kept across any `await`. */
export interface RouteContext<
  Who extends RouteWho,
  Params,
  Query,
  Body,
  Header extends string,
  Sent extends string,
> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** Who asks; `undefined` for everyone on routes for `anyone`. */
  readonly auth: Who extends 'anyone' ? undefined : Principal;
  /** The peer's address, through trusted proxies only. Never goes into a log line. */
  readonly address: string;
  readonly requestId: string;
  /** The value of a request header that the declaration lists under `headers`; empty when absent. */
  header(name: Header): string;
  /** The value of a cookie; the declaration must list the header `cookie`. */
  cookie(name: string): string | undefined;
  /**
   * Adds a header that the declaration lists under `sends` to the answer, of whatever status it will be. Throws on a value
   * that cannot be a header.
   */
  setHeader(name: Sent, value: string): void;
  once: Once;
  /** An answer that is not just `status` and `out`. */
  reply(init: ReplyInit): Reply;
}

type Schema = z.ZodType | undefined;
type ParsedBody<Body> = Body extends z.ZodType
  ? z.output<Body>
  : Body extends RawBody
    ? RawUpload
    : undefined;
type Parsed<S> = S extends z.ZodType ? z.output<S> : undefined;
// biome-ignore lint/suspicious/noConfusingVoidType: a handler without an answer is a function without a return.
type Answer<Out> = (Out extends z.ZodType ? z.input<Out> : void) | Reply;

export interface RouteSpec<
  Who extends RouteWho,
  Params extends Schema,
  Query extends Schema,
  Body extends Schema | RawBody,
  Out extends Schema,
  Header extends string,
  Sent extends string,
> {
  method: RouteMethod;
  /** Below `base`; a segment `:name` is a parameter, raw as it stands in the URL (nothing is percent-decoded). */
  path: `/${string}`;
  /** `/api/v1` unless given. */
  base?: '' | `/${string}`;
  /** One line for the documentation, and `description` for more than that. */
  summary: string;
  description?: string;
  tags: readonly string[];
  /** Left out of the documentation. */
  hidden?: boolean;
  who: Who;
  /**
   * A cookie that holds the access token where there is no Authorization header: for what is opened in a browser's address
   * bar. A GET's only, which changes nothing, for a browser sends cookies whoever had it ask.
   */
  tokenCookie?: string;
  limit: RouteLimit;
  /** Request headers that the handler reads, lower case. Others are not read at all. */
  headers?: readonly Header[];
  /**
   * Headers of the answer, lower case, that are not those of every answer or of every error (`content.ts`), and what is in
   * them: by `setHeader`, or of a `Reply`.
   */
  sends?: Readonly<Record<Sent, string>>;
  /** A parameter that does not fit is a 404: there is nothing at such a path. */
  params?: Params;
  /**
   * Declare it with `z.strictObject`: unknown and repeated parameters are a 400. Without it there must be none where somebody is
   * signed in, and it is ignored elsewhere.
   */
  query?: Query;
  /** What an address whose parameters or query do not fit is answered with, instead of 404 and 400. */
  unfit?: ErrorCode;
  /** Declare it with `z.strictObject`. An absent body is read as `{}`. Without it only `{}` or nothing may come. */
  body?: Body;
  /** Of an answer that is no `Reply`. */
  status: number;
  /** Another status, whose answers are an `out` as well: of an error's, then, and still no `Error`. */
  alsoStatus?: number;
  out?: Out;
  /** The media type of what a `Reply` gives out as it is. For the documentation. */
  produces?: string;
  run(
    ctx: RouteContext<Who, Parsed<Params>, Parsed<Query>, ParsedBody<Body>, Header, Sent>,
  ): Answer<Out> | Promise<Answer<Out>>;
}

/** A declared route with its types erased: what the router and the documentation work with. */
export interface Route {
  readonly method: RouteMethod;
  /** The whole path, base included. */
  readonly path: string;
  readonly summary: string;
  readonly description: string | undefined;
  readonly tags: readonly string[];
  readonly hidden: boolean;
  readonly who: RouteWho;
  readonly tokenCookie: string | undefined;
  readonly limit: RouteLimit;
  readonly headers: readonly string[];
  readonly sends: Readonly<Record<string, string>>;
  readonly params: z.ZodType | undefined;
  readonly query: z.ZodType | undefined;
  readonly unfit: ErrorCode | undefined;
  readonly body: z.ZodType | RawBody | undefined;
  readonly status: number;
  readonly alsoStatus: number | undefined;
  readonly out: z.ZodType | undefined;
  readonly produces: string | undefined;
  run(ctx: RouteContext<RouteWho, unknown, unknown, unknown, string, string>): unknown;
}

const API_BASE = '/api/v1';

const NoQuery = z.strictObject({});

/** Declares a route. The handler's context and its answer are typed by the schemas. */
export function route<
  Who extends RouteWho,
  Params extends Schema = undefined,
  Query extends Schema = undefined,
  Body extends Schema | RawBody = undefined,
  Out extends Schema = undefined,
  const Header extends string = never,
  const Sent extends string = never,
>(spec: RouteSpec<Who, Params, Query, Body, Out, Header, Sent>): Route {
  const { base = API_BASE, path, headers = [], hidden = false } = spec;
  if (spec.tokenCookie !== undefined && spec.method !== 'get')
    throw new Error(`A browser would be led to it with its cookie: ${spec.method} ${path}`);
  const isOwn = base === API_BASE && spec.method === 'get' && spec.who !== 'anyone';
  return {
    method: spec.method,
    path: base + path,
    summary: spec.summary,
    description: spec.description,
    tags: spec.tags,
    hidden,
    who: spec.who,
    tokenCookie: spec.tokenCookie,
    limit: spec.limit,
    headers,
    sends: spec.sends ?? {},
    params: spec.params,
    query: spec.query ?? (isOwn ? NoQuery : undefined),
    unfit: spec.unfit,
    body: spec.body,
    status: spec.status,
    alsoStatus: spec.alsoStatus,
    out: spec.out,
    produces: spec.produces,
    // The router hands over what these very schemas produced; the erased type cannot say so.
    run: spec.run as Route['run'],
  };
}

/** Throws on a header of an answer that the documentation does not know of. */
export function requireSent({ sends }: Route, name: string): void {
  if (sends[name] === undefined) throw new Error(`The route does not declare that it sends "${name}".`);
}

/** Declares a body of bytes, for uploads. */
export function rawBody(options: RawBody): RawBody {
  return options;
}

export function isRawBody(body: z.ZodType | RawBody): body is RawBody {
  return 'maxBytes' in body;
}
