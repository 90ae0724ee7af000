import type { Header, HeaderList } from './Exchange.ts';
import { checkedHeader } from './RequestContext.ts';
import type { Reply } from './route.ts';
import { errorBody, type HttpError } from './toHttpError.ts';

/** What goes into an answer. */

export type Content = [headers: HeaderList, body: string | Uint8Array | undefined];

export const JSON_HEADERS: HeaderList = [
  ['content-type', 'application/json'],
  ['cache-control', 'no-store'],
];

export const EMPTY_HEADERS: HeaderList = [['cache-control', 'no-store']];

/** A handler's own answer. Strings and bytes go out under the type that it names, anything else as JSON. */
export function replyContent(reply: Reply): Content {
  const given = Object.entries(reply.headers).map(([name, value]) => checkedHeader(name, value));
  const { body } = reply;
  const defaults = body === undefined ? EMPTY_HEADERS : JSON_HEADERS;
  const headers = [...defaults.filter(([name]) => !given.some(([other]) => other === name)), ...given];
  const isAsItIs = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
  return [headers, isAsItIs ? body : JSON.stringify(body)];
}

/** An error in the contract's shape, with the headers that its status asks for (RFC 9110 sections 10.2.3, 11.6.1). */
export function errorContent(error: HttpError, requestId: string): [headers: HeaderList, body: string] {
  const headers: Header[] = [...JSON_HEADERS];
  if (error.retryAfterSec !== undefined)
    headers.push(['retry-after', String(Math.ceil(error.retryAfterSec))]);
  if (error.status === 401) headers.push(['www-authenticate', 'Bearer']);
  return [headers, errorBody(error, requestId)];
}
