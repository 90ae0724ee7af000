import { type Header, type HeaderText, headerText } from './headers.ts';
import type { Reply } from './route.ts';
import { errorBody, type HttpError } from './toHttpError.ts';

/** What goes into an answer. */

export type Content = [headers: HeaderText, body: string | Uint8Array | undefined];

/** Headers that errors are sent with, and on which; every answer has `x-request-id` besides. For the documentation. */
export const ERROR_HEADERS = {
  'retry-after': 'With 429 and 503: in how many seconds to ask again.',
  'www-authenticate': 'With 401: `Bearer`.',
} as const;

const JSON_DEFAULTS: Header[] = [
  ['content-type', 'application/json'],
  ['cache-control', 'no-store'],
];
const EMPTY_DEFAULTS: Header[] = [['cache-control', 'no-store']];

export const JSON_HEADERS = headerText(JSON_DEFAULTS);
export const EMPTY_HEADERS = headerText(EMPTY_DEFAULTS);

/** A handler's own answer. Strings and bytes go out under the type that it names, anything else as JSON. */
export function replyContent(reply: Reply): Content {
  const { body, headers } = reply;
  const defaults = body === undefined ? EMPTY_DEFAULTS : JSON_DEFAULTS;
  const given = Object.entries(headers);
  const text = headerText([...defaults.filter(([name]) => headers[name] === undefined), ...given]);
  return [text, reply.isAsItIs ? (body as Content[1]) : JSON.stringify(body)];
}

/** An error in the contract's shape, with the headers that its status asks for (RFC 9110 sections 10.2.3, 11.6.1). */
export function errorContent(error: HttpError, requestId: string): [headers: HeaderText, body: string] {
  const headers: [keyof typeof ERROR_HEADERS, string][] = [];
  if (error.retryAfterSec !== undefined)
    headers.push(['retry-after', String(Math.ceil(error.retryAfterSec))]);
  if (error.status === 401) headers.push(['www-authenticate', 'Bearer']);
  return [headerText([...JSON_DEFAULTS, ...headers]), errorBody(error, requestId)];
}
