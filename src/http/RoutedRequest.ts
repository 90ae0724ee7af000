import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { Principal } from '../accounts/AccessTokens.ts';
import { DuetError } from '../errors.ts';
import { peerAddress, type TrustedProxies } from '../transport/peerAddress.ts';
import { headerList } from '../transport/uws.ts';
import { BodyReader, type OpenBodies } from './body.ts';
import type { Exchange } from './Exchange.ts';
import { cookieOf } from './headers.ts';
import { isRawBody, type Route } from './route.ts';
import { UploadSpool } from './UploadSpool.ts';

/** A route, and what is derived from it once. */
export type Entry = {
  route: Route;
  /** What logs and metrics know it by: the declared path, never a URL. */
  label: string;
  paramNames: string[];
  readsBody: boolean;
  capBytes: number;
};

/** A request on its way to a route: all of it that anybody will need, since `req` ends with the request handler. */
export type RoutedRequest = {
  entry: Entry;
  exchange: Exchange;
  authorization: string;
  requester: Requester;
  params: Record<string, string>;
  query: string;
  /** In the order of `route.headers`. */
  headerValues: string[];
  contentType: string;
  /** Whether the body is compressed or the like (RFC 9110 section 8.4). Nothing unpacks it. */
  isPacked: boolean;
  /** 0 without a body, `UNKNOWN_LENGTH` for a chunked one, `BAD_LENGTH`. */
  contentLength: number;
  /** How many pieces of the body arrived, wanted or not. */
  pieces: () => number;
  /** Undefined where nothing is sent. */
  reader: BodyReader | UploadSpool | undefined;
  /** Set once the requester is known. */
  auth: Principal | undefined;
};

const UNKNOWN_LENGTH = -1;
/** Where the body ends is said in two ways, or in one that is not understood: RFC 9112 section 6.3. */
const BAD_LENGTH = -2;

const NOT_PACKED = /^(identity)?$/i;

const noPieces = () => 0;

/** Who asks. The address is found out when it is asked for: the question costs as much as the rest of a request. */
export class Requester {
  /** Set once it is known. */
  userId: string | undefined;
  sessionId: string | undefined;
  readonly #exchange: Exchange;
  readonly #proxies: TrustedProxies;
  readonly #forwardedFor: string;
  #address: string | undefined;

  constructor(exchange: Exchange, proxies: TrustedProxies, req: HttpRequest) {
    this.#exchange = exchange;
    this.#proxies = proxies;
    this.#forwardedFor = proxies.isEmpty ? '' : headerList(req, 'x-forwarded-for');
  }

  /** `unknown` when it is first asked for after the client has gone. */
  get address(): string {
    if (this.#address === undefined) {
      const { isOpen, res } = this.#exchange;
      const socket = isOpen ? res.getRemoteAddress() : new ArrayBuffer(0);
      this.#address = peerAddress(socket, this.#proxies, () => this.#forwardedFor);
    }
    return this.#address;
  }
}

export function entryOf(route: Route, jsonCapBytes: number): Entry {
  const { method, path, body } = route;
  const names = path.split('/').filter((part) => part.startsWith(':'));
  return {
    route,
    label: `${method.toUpperCase()} ${path}`,
    paramNames: names.map((name) => name.slice(1)),
    readsBody: method !== 'get',
    capBytes: body !== undefined && isRawBody(body) ? body.maxBytes : jsonCapBytes,
  };
}

/** Reads a request while its handler runs; the body is collected from here on. */
export function readRequest(
  entry: Entry,
  exchange: Exchange,
  res: HttpResponse,
  req: HttpRequest,
  proxies: TrustedProxies,
  openBodies: OpenBodies,
): RoutedRequest {
  const { route, paramNames, readsBody } = entry;
  const params: Record<string, string> = {};
  for (let i = 0; i < paramNames.length; i++) params[paramNames[i]!] = req.getParameter(i) ?? '';
  const contentLength = declaredLength(req);
  const requester = new Requester(exchange, proxies, req);
  let reader: BodyReader | UploadSpool | undefined;
  let pieces = noPieces;
  const raw = route.body !== undefined && isRawBody(route.body) ? route.body : undefined;
  // Most posts bring nothing: a reader for what does not come costs a fifth of such a request.
  if (raw !== undefined || (readsBody && contentLength !== 0)) {
    const opened =
      raw === undefined
        ? new BodyReader(res, entry.capBytes, openBodies, exchange)
        : new UploadSpool(res, raw, openBodies, exchange, requester);
    exchange.whenGone(() => opened.discard());
    reader = opened;
    pieces = () => opened.pieces;
  } else if (!isShort(contentLength, entry.capBytes)) {
    pieces = countPieces(res);
  }
  return {
    entry,
    exchange,
    authorization: route.who === 'anyone' ? '' : authorizationOf(route, req),
    requester,
    params,
    query: route.query === undefined ? '' : (req.getQuery() ?? ''),
    headerValues: route.headers.map((name) => req.getHeader(name)),
    contentType: readsBody ? req.getHeader('content-type') : '',
    isPacked: readsBody && !NOT_PACKED.test(req.getHeader('content-encoding')),
    contentLength,
    pieces,
    reader,
    auth: undefined,
  };
}

function authorizationOf({ tokenCookie }: Route, req: HttpRequest): string {
  const given = req.getHeader('authorization');
  if (given !== '' || tokenCookie === undefined) return given;
  const token = cookieOf(req.getHeader('cookie'), tokenCookie);
  return token === undefined ? '' : `Bearer ${token}`;
}

/**
 * By lines: `getHeader` knows the first of a name only, and an empty one, told apart from none by nothing else, may hide
 * the one that somebody in front has gone by.
 */
export function declaredLength(req: HttpRequest): number {
  let lines = 0;
  let length = 0;
  req.forEach((name, value) => {
    if (name === 'content-length') length = lengthOf(value);
    else if (name === 'transfer-encoding')
      length = value.toLowerCase() === 'chunked' ? UNKNOWN_LENGTH : BAD_LENGTH;
    else return;
    lines++;
  });
  return lines > 1 ? BAD_LENGTH : length;
}

/** Whether a refused body is over so soon that it can be let run out, and the connection kept. */
export function isShort(length: number, capBytes: number): boolean {
  return length >= 0 && length <= capBytes;
}

/** Throws a body away as it comes, and counts its pieces. Called while the request handler runs. */
export function countPieces(res: HttpResponse): () => number {
  let count = 0;
  res.onData(() => {
    count++;
  });
  return () => count;
}

function lengthOf(text: string): number {
  // However many digits: what is beyond a double's whole numbers is beyond every cap as well.
  return /^\d+$/.test(text) ? Number(text) : BAD_LENGTH;
}

/** 400 for a body whose end is not told in one way; 413 where none is read and one comes that does not end soon. */
export function refuseUnreadable({ reader, contentLength, entry }: RoutedRequest): void {
  if (contentLength === BAD_LENGTH) {
    const message = 'has a length that is not clear';
    throw new DuetError('VALIDATION_FAILED', { details: [{ path: '', message }] });
  }
  if (reader === undefined && !isShort(contentLength, entry.capBytes))
    throw new DuetError('PAYLOAD_TOO_LARGE');
}
