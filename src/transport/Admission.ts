import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { AuthContext } from '@colyseus/core';
import type { Refusal } from '../errors.ts';
import { peerAddress, type TrustedProxies } from './peerAddress.ts';
import { SocketCounts, type SocketLimits } from './SocketCounts.ts';
import { readTicket, type Ticket } from './ticket.ts';
import { headerList } from './uws.ts';

export type AdmissionOptions = {
  /** Origins whose pages may open sockets. Clients that name no origin are no browsers, and may. */
  allowedOrigins: { has(origin: string): boolean };
  /** Addresses and CIDR ranges whose X-Forwarded-For is believed. */
  trustedProxies: readonly string[];
  /** Sockets of one person and of one address, beyond which an upgrade is refused with 429. */
  socketLimits: SocketLimits;
  /** Whom an access token names, if it is good: sockets are counted by person. Nobody, by default. */
  userOf?(token: string): string | undefined;
  /** What an address is counted by. Itself, by default. */
  addressKey?(address: string): string;
};

/** How a client came: to which room, and as whom. */
export type Arrival = { ticket: Ticket; context: AuthContext };

/** A client that may have a socket. */
export type Admitted = {
  /** Gone once the client is seated: a socket that only waits keeps nothing of how it came. */
  arrival: Arrival | undefined;
  /** What the socket is counted by. */
  user: string | undefined;
  address: string;
};

/**
 * Who may open a socket: whoever asks for a room, from no foreign page, while the person and the address have not too many
 * already. Whether the seat is theirs is for the room to say.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #proxies: TrustedProxies;
  readonly #counts: SocketCounts;

  constructor(options: AdmissionOptions, proxies: TrustedProxies) {
    this.#options = options;
    this.#proxies = proxies;
    this.#counts = new SocketCounts(options.socketLimits);
  }

  /** Judges an upgrade; called while its request can be read. NOT_FOUND, FORBIDDEN, TOO_MANY_REQUESTS. */
  admit(res: HttpResponse, req: HttpRequest): Admitted | Refusal {
    const { allowedOrigins, addressKey, userOf } = this.#options;
    const ticket = readTicket(req.getUrl(), req.getQuery() ?? '');
    if (ticket === undefined) return { refused: 'NOT_FOUND' };
    const origin = req.getHeader('origin');
    if (origin !== '' && !allowedOrigins.has(origin)) return { refused: 'FORBIDDEN' };
    ticket.token ??= bearerToken(req.getHeader('authorization'));
    const ip = peerAddress(res.getRemoteAddress(), this.#proxies, () => headerList(req, 'x-forwarded-for'));
    const address = addressKey?.(ip) ?? ip;
    const user = ticket.token === undefined ? undefined : userOf?.(ticket.token);
    if (!this.#counts.admits(user, address)) return { refused: 'TOO_MANY_REQUESTS' };
    const context = authContext(ticket, ip, req.getHeader('user-agent'));
    return { arrival: { ticket, context }, user, address };
  }

  opened({ user, address }: Admitted): void {
    this.#counts.opened(user, address);
  }

  closed({ user, address }: Admitted): void {
    this.#counts.closed(user, address);
  }
}

function authContext(ticket: Ticket, ip: string, userAgent: string): AuthContext {
  return {
    token: ticket.token,
    ip,
    // Only what is known to be harmless: `Headers` throws on bytes that a client may well send.
    get headers() {
      return new Headers({ 'user-agent': userAgent.replace(/[^\x20-\x7e]/g, '') });
    },
  };
}

function bearerToken(authorization: string): string | undefined {
  return /^Bearer ([\w.~+/-]+=*)$/i.exec(authorization)?.[1];
}
