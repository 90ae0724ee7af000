import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { z } from 'zod';
import type { Principal } from '../accounts/AccessTokens.ts';
import type { Clock } from '../clock.ts';
import { DuetError } from '../errors.ts';
import { describeError } from '../failure.ts';
import { newCheapId } from '../ids.ts';
import type { Log } from '../log.ts';
import { issueDetails } from '../shapes.ts';
import { TrustedProxies } from '../transport/peerAddress.ts';
import { isJsonType, mediaType, OpenBodies, parseJsonBody } from './body.ts';
import { EMPTY_HEADERS, errorContent, JSON_HEADERS, replyContent } from './content.ts';
import { Cors } from './cors.ts';
import { Exchange } from './Exchange.ts';
import { joinHeaders, NO_HEADERS } from './headers.ts';
import { RequestContext } from './RequestContext.ts';
import {
  type Entry,
  entryOf,
  isShort,
  Requester,
  type RoutedRequest,
  readRequest,
  refuseUnreadable,
} from './RoutedRequest.ts';
import { isRawBody, Reply, type Route, type RouteLimit, requireSent } from './route.ts';
import { toHttpError } from './toHttpError.ts';
import { UploadSpool } from './UploadSpool.ts';
import { type Address, readAddress, readFields } from './validate.ts';

/** Whom an allowance may be counted by. */
export type LimitedRequester = Pick<Requester, 'userId' | 'sessionId' | 'address'>;

/** What the pipeline needs of the rest. All but `observe` may throw a `DuetError`, which then is the answer. */
export type PipelinePorts = {
  /** Whose `Authorization` header this is (empty when absent). Quickest when it answers without a promise. */
  authenticate(authorization: string): Principal | Promise<Principal>;
  /**
   * Whether the session of a requester that was known by its token has ended since. Asked once more before anything runs:
   * a body may take a quarter of an hour to arrive. A token that merely ran out meanwhile was good when it came.
   */
  hasEnded(principal: Principal): boolean;
  /** Whether nothing in an `Authorization` header was ever made here: a token that has merely run out was. */
  isStranger(authorization: string): boolean;
  /**
   * Counts the request against an allowance of the user or session, or of the address where nobody is signed in. The
   * address is looked up when it is read: leave it alone where the user is known.
   */
  limit(limit: RouteLimit, requester: LimitedRequester): void | Promise<void>;
  /** Somebody who is no admin asked for an admin's route. Resolves before the refusal goes out. */
  turnedAway?(
    principal: Principal,
    route: string,
    client: { address: string; userAgent: string },
  ): Promise<void>;
  /** One answered request. `route` is the declaration's method and path, never the URL. */
  observe(route: string, status: number, durationMs: number): void;
  log: Log;
  clock: Clock;
};

export type PipelineConfig = {
  /** Origins (`https://duet.example`) whose pages may ask from elsewhere. */
  allowedOrigins: readonly string[];
  /** Addresses and CIDR ranges whose X-Forwarded-For is believed. */
  trustedProxies: readonly string[];
  /** Of JSON bodies. A raw body has its own cap. */
  bodyCapBytes: number;
  /** A JSON body must be there within this; of a raw body every piece must follow the one before within this. */
  slowBodyMs: number;
  /** Check every answer against `out` and fail with 500 where it differs. For development and tests. */
  checkResponses: boolean;
  /** Tell browsers to insist on https. Only where https is what people use. */
  hsts: boolean;
};

/**
 * What a request goes through on its way to a route, and its answer on the way back: who calls, whether they may and how
 * often, what they sent; one answer, whatever is thrown where.
 */
export class Pipeline {
  readonly cors: Cors;
  readonly #ports: PipelinePorts;
  readonly #config: PipelineConfig;
  readonly #proxies: TrustedProxies;
  readonly #bodies: OpenBodies;

  constructor(ports: PipelinePorts, config: PipelineConfig) {
    this.#ports = ports;
    this.#config = config;
    this.#proxies = new TrustedProxies(config.trustedProxies);
    this.cors = new Cors(config.allowedOrigins, config.hsts);
    this.#bodies = new OpenBodies(ports.clock, config.slowBodyMs);
  }

  /** Bodies that are arriving just now. */
  get openBodies(): number {
    return this.#bodies.size;
  }

  close(): void {
    this.#bodies.close();
  }

  /** A route as it is served. */
  entryOf(route: Route): Entry {
    return entryOf(route, this.#config.bodyCapBytes);
  }

  /** The answer that a request is owed, which is counted under `label` when it is given. */
  open(label: string, isHead: boolean, res: HttpResponse, req: HttpRequest): Exchange {
    const ports = this.#ports;
    const startedAt = ports.clock.now();
    return new Exchange(
      res,
      newCheapId(startedAt),
      isHead,
      this.cors.headersFor(req.getHeader('origin')),
      (status) => {
        try {
          ports.observe(label, status, ports.clock.now() - startedAt);
        } catch (error) {
          ports.log.error({ route: label, error: describeError(error) }, 'A request could not be counted.');
        }
      },
    );
  }

  /** No exception and no rejection leaves this: uWebSockets.js would take the process down with it. */
  serve(entry: Entry, isHead: boolean, res: HttpResponse, req: HttpRequest): void {
    const exchange = this.open(entry.label, isHead, res, req);
    const request = readRequest(entry, exchange, res, req, this.#proxies, this.#bodies);
    try {
      refuseUnreadable(request);
      const outcome = this.#authorise(request);
      if (outcome instanceof Promise) outcome.catch((error) => this.#fail(request, error));
    } catch (error) {
      this.#fail(request, error);
    }
    exchange.leaveHandler();
  }

  #authorise(request: RoutedRequest): void | Promise<void> {
    const { who } = request.entry.route;
    if (who === 'anyone') return this.#limit(request);
    const checked = (known: Principal) => {
      request.auth = known;
      request.requester.userId = known.userId;
      request.requester.sessionId = known.sessionId;
      if (request.reader instanceof UploadSpool) request.reader.allow();
      return this.#limit(request);
    };
    const refused = (error: unknown) => this.#turnStrangerAway(request, error);
    let principal: Principal | Promise<Principal>;
    try {
      principal = this.#ports.authenticate(request.authorization);
    } catch (error) {
      return refused(error);
    }
    return principal instanceof Promise
      ? holding(request, principal).then(checked, refused)
      : checked(principal);
  }

  #turnStrangerAway(request: RoutedRequest, error: unknown): Promise<never> {
    const counted = this.#countStranger(request.authorization, request.requester);
    if (counted === undefined) throw error;
    return holding(request, counted).then(() => {
      throw error;
    });
  }

  /**
   * Before a refusal: whoever shows no token of ours is counted by the address. Not who shows one that has run out, for
   * phones behind one address may all wake up at once.
   */
  #countStranger(authorization: string, requester: LimitedRequester): Promise<void> | undefined {
    if (!this.#ports.isStranger(authorization)) return undefined;
    return this.#ports.limit('anonymous', requester) ?? undefined;
  }

  #limit(request: RoutedRequest): void | Promise<void> {
    const { limit } = request.entry.route;
    if (limit === 'none') return this.#admit(request);
    const allowed = this.#ports.limit(limit, request.requester);
    return allowed instanceof Promise ? allowed.then(() => this.#admit(request)) : this.#admit(request);
  }

  /** After counting: each refusal leaves a line somewhere, and so there are only so many. */
  #admit(request: RoutedRequest): void | Promise<void> {
    const isRefused = request.entry.route.who === 'admin' && request.auth?.role !== 'admin';
    return isRefused ? this.#turnAway(request) : this.#receive(request);
  }

  async #turnAway(request: RoutedRequest): Promise<never> {
    const { entry, requester, headerValues, auth } = request;
    const userAgent = headerValues[entry.route.headers.indexOf('user-agent')] ?? '';
    await this.#ports.turnedAway?.(auth!, entry.label, { address: requester.address, userAgent });
    throw new DuetError('FORBIDDEN');
  }

  #receive(request: RoutedRequest): void | Promise<void> {
    const { entry, reader, contentType, contentLength, isPacked } = request;
    const address = readAddress(request.entry.route, request.params, request.query);
    const { body } = entry.route;
    if (reader === undefined) {
      return this.#run(
        request,
        address,
        entry.readsBody ? readFields(body as z.ZodType | undefined, {}) : undefined,
      );
    }
    if (contentLength > entry.capBytes) throw new DuetError('PAYLOAD_TOO_LARGE');
    const type = mediaType(contentType);
    const raw = body !== undefined && isRawBody(body) ? body : undefined;
    const hasBody = contentLength !== 0;
    const isWanted = raw === undefined ? isJsonType(contentType) : raw.types.includes(type);
    if (hasBody && (isPacked || !isWanted)) {
      throw new DuetError('UNSUPPORTED_MEDIA_TYPE');
    }
    if (reader instanceof UploadSpool) {
      return reader.receive(type).then(async (upload) => {
        try {
          await this.#run(request, address, upload);
        } finally {
          upload.close();
        }
      });
    }
    return reader.read().then((bytes) => {
      const json = parseJsonBody(bytes);
      return this.#run(request, address, readFields(body as z.ZodType | undefined, json));
    });
  }

  #run(request: RoutedRequest, { params, query }: Address, body: unknown): void | Promise<void> {
    const { exchange, entry, auth } = request;
    // Whoever hung up while the body or a token was being checked does not start anything, and no more does who was
    // signed out meanwhile: by then the account may be somebody else's.
    if (!exchange.isOpen) return;
    if (auth !== undefined && this.#ports.hasEnded(auth)) throw new DuetError('UNAUTHORIZED');
    const value = entry.route.run(new RequestContext(request, params, query, body));
    if (value instanceof Promise) return value.then((awaited) => this.#answer(request, awaited));
    this.#answer(request, value);
  }

  #answer(request: RoutedRequest, value: unknown): void {
    const { exchange, entry } = request;
    const { out, status, alsoStatus } = entry.route;
    if (value instanceof Reply) {
      const answered = value.status ?? status;
      this.#checkHeaders(entry.route, value.headers);
      if ((answered === status || answered === alsoStatus) && !value.isAsItIs) this.#check(out, value.body);
      exchange.answer(answered, ...replyContent(value));
    } else if (out === undefined) {
      exchange.answer(status, EMPTY_HEADERS);
    } else {
      this.#check(out, value);
      exchange.answer(status, JSON_HEADERS, JSON.stringify(value));
    }
  }

  #check(out: z.ZodType | undefined, value: unknown): void {
    if (!this.#config.checkResponses || out === undefined) return;
    const checked = out.safeParse(value);
    if (checked.success) return;
    throw new Error(`The answer is not what is declared: ${JSON.stringify(issueDetails(checked.error))}`);
  }

  #checkHeaders(route: Route, headers: Readonly<Record<string, string>>): void {
    if (!this.#config.checkResponses) return;
    for (const name of Object.keys(headers)) if (name !== 'content-type') requireSent(route, name);
  }

  #fail(request: RoutedRequest, error: unknown): void {
    const { exchange, reader, entry, contentLength } = request;
    const isLate = error instanceof DuetError && error.code === 'REQUEST_TIMEOUT';
    const isLong = isLate || !isShort(contentLength, entry.capBytes);
    const isStillSending = isLong && reader?.complete !== true;
    // First of all: a client that was made to wait must hear the answer, and the end of it.
    reader?.discard();
    this.refuse(exchange, entry.label, error, isStillSending ? request.pieces : undefined);
  }

  /** Answers with an error; `pieces` where the client may go on sending a body for long. */
  refuse(
    exchange: Exchange,
    label: string,
    error: unknown,
    pieces: (() => number) | undefined,
    more = NO_HEADERS,
  ): void {
    const mapped = toHttpError(error);
    const { requestId } = exchange;
    if (mapped.unexpected) {
      this.#ports.log.error({ requestId, route: label, error: describeError(error) }, 'A request failed.');
    }
    const [headers, body] = errorContent(mapped, requestId);
    if (pieces === undefined) exchange.answer(mapped.status, joinHeaders(headers, more), body);
    else exchange.refuse(mapped.status, joinHeaders(headers, more), body, pieces, this.#ports.clock);
  }

  /** Before it is told that there is nothing for it: a stranger is counted. Undefined where nothing is to be waited for. */
  countUnknown(exchange: Exchange, req: HttpRequest): Promise<void> | undefined {
    return this.#countStranger(req.getHeader('authorization'), new Requester(exchange, this.#proxies, req));
  }
}

/** Nobody's megabytes are read before it is known whose they are. */
function holding<T>({ exchange }: RoutedRequest, answer: Promise<T>): Promise<T> {
  exchange.hold();
  return answer.finally(() => exchange.release());
}
