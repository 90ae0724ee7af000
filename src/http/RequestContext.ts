import type { Principal } from '../accounts/AccessTokens.ts';
import { cookieOf, headerText, joinHeaders } from './headers.ts';
import type { RoutedRequest } from './RoutedRequest.ts';
import { type Once, Reply, type ReplyInit, type RouteContext, type RouteWho, requireSent } from './route.ts';

/** What a handler gets. All but the address was read from the socket before and stays good across any `await`. */
export class RequestContext implements RouteContext<RouteWho, unknown, unknown, unknown, string, string> {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly auth: Principal;
  readonly requestId: string;
  /** `Idempotency` has it remember. */
  once: Once = (work) => work(async (choose) => choose());
  readonly #request: RoutedRequest;

  constructor(request: RoutedRequest, params: unknown, query: unknown, body: unknown) {
    this.params = params;
    this.query = query;
    this.body = body;
    // `undefined` on routes for `anyone`; their handlers' type says so.
    this.auth = request.auth as Principal;
    this.requestId = request.exchange.requestId;
    this.#request = request;
  }

  get address(): string {
    return this.#request.requester.address;
  }

  header(name: string): string {
    const index = this.#request.entry.route.headers.indexOf(name);
    if (index < 0) throw new Error(`The route does not declare the header "${name}".`);
    return this.#request.headerValues[index]!;
  }

  cookie(name: string): string | undefined {
    return cookieOf(this.header('cookie'), name);
  }

  setHeader(name: string, value: string): void {
    const { exchange, entry } = this.#request;
    requireSent(entry.route, name);
    exchange.added = joinHeaders(exchange.added, headerText([[name, value]]));
  }

  reply(init: ReplyInit): Reply {
    return new Reply(init);
  }
}
