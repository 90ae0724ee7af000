import type { Principal } from '../accounts/AccessTokens.ts';
import type { Call } from './Call.ts';
import { cookieOf, headerText, joinHeaders } from './headers.ts';
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
  readonly #call: Call;

  constructor(call: Call, params: unknown, query: unknown, body: unknown) {
    this.params = params;
    this.query = query;
    this.body = body;
    // `undefined` on routes for `anyone`; their handlers' type says so.
    this.auth = call.auth as Principal;
    this.requestId = call.exchange.requestId;
    this.#call = call;
  }

  get address(): string {
    return this.#call.caller.address;
  }

  header(name: string): string {
    const index = this.#call.entry.route.headers.indexOf(name);
    if (index < 0) throw new Error(`The route does not declare the header "${name}".`);
    return this.#call.headerValues[index]!;
  }

  cookie(name: string): string | undefined {
    return cookieOf(this.header('cookie'), name);
  }

  setHeader(name: string, value: string): void {
    const { exchange, entry } = this.#call;
    requireSent(entry.route, name);
    exchange.added = joinHeaders(exchange.added, headerText([[name, value]]));
  }

  reply(init: ReplyInit): Reply {
    return new Reply(init);
  }
}
