import type { Auth, ReplyInit, RouteContext, RouteWho } from './route.ts';
import { Reply } from './route.ts';

/** What a handler gets. Everything was read from the socket before: it stays good across any `await`. */
export class RequestContext implements RouteContext<RouteWho, unknown, unknown, unknown, string> {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly auth: Auth;
  readonly address: string;
  readonly requestId: string;
  readonly #names: readonly string[];
  readonly #values: readonly string[];
  readonly #added: (readonly [string, string])[];

  constructor(request: {
    params: unknown;
    query: unknown;
    body: unknown;
    /** `undefined` on routes for `anyone`; their handlers' type says so. */
    auth: Auth | undefined;
    address: string;
    requestId: string;
    /** The headers that the declaration lists, and their values in the same order. */
    headerNames: readonly string[];
    headerValues: readonly string[];
    /** Where `setHeader` puts its headers. */
    added: (readonly [string, string])[];
  }) {
    this.params = request.params;
    this.query = request.query;
    this.body = request.body;
    this.auth = request.auth as Auth;
    this.address = request.address;
    this.requestId = request.requestId;
    this.#names = request.headerNames;
    this.#values = request.headerValues;
    this.#added = request.added;
  }

  header(name: string): string {
    const index = this.#names.indexOf(name);
    if (index < 0) throw new Error(`The route does not declare the header "${name}".`);
    return this.#values[index]!;
  }

  cookie(name: string): string | undefined {
    for (const pair of this.header('cookie').split(';')) {
      const equals = pair.indexOf('=');
      if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
    }
    return undefined;
  }

  setHeader(name: string, value: string): void {
    this.#added.push(checkedHeader(name, value));
  }

  reply(init: ReplyInit): Reply {
    return new Reply(init);
  }
}

// RFC 9110 section 5.1 and 5.5. uWebSockets.js writes what it is given: a line break in a value would be a header
// of the client's own making, or an answer of its own.
const NAME = /^[a-z0-9-]+$/;
const VALUE = /^[\t\x20-\x7e]*$/;

/** The header, or an exception if it is not one. */
export function checkedHeader(name: string, value: string): readonly [string, string] {
  if (!NAME.test(name) || !VALUE.test(value)) throw new Error(`Not a header that can be sent: ${name}`);
  return [name, value];
}
