import { type Header, type HeaderText, headerText, NO_HEADERS } from './headers.ts';

/**
 * The headers of every answer: what browsers must not do with it, and which pages of other origins may read it. An
 * origin is answered with itself only if it is on the list; no other is ever repeated, and `*` is never said.
 */

const EXPOSED = 'x-request-id, retry-after';
const REQUEST_HEADERS =
  'authorization, content-type, idempotency-key, x-auth-mode, x-csrf-token, x-device-id';
const PREFLIGHT_MAX_AGE_SEC = 600;

export class Cors {
  readonly #base: HeaderText;
  readonly #byOrigin: ReadonlyMap<string, HeaderText>;

  constructor(allowedOrigins: readonly string[], hsts: boolean) {
    const base: Header[] = [
      ['x-content-type-options', 'nosniff'],
      ['referrer-policy', 'no-referrer'],
    ];
    if (hsts) base.push(['strict-transport-security', 'max-age=31536000; includeSubDomains']);
    // What no origin or another one is told must not be kept for one that is on the list.
    if (allowedOrigins.length > 0) base.push(['vary', 'origin']);
    this.#base = headerText(base);
    this.#byOrigin = new Map(
      allowedOrigins.map((origin) => [
        origin,
        headerText([
          ...base,
          ['access-control-allow-origin', origin],
          ['access-control-allow-credentials', 'true'],
          ['access-control-expose-headers', EXPOSED],
        ]),
      ]),
    );
  }

  /** For an answer to a page of `origin` (empty when the request names none). */
  headersFor(origin: string): HeaderText {
    return origin === '' ? this.#base : (this.#byOrigin.get(origin) ?? this.#base);
  }

  /** What a preflight is told besides; nothing for an origin that is not on the list. */
  preflight(origin: string, methods: readonly string[]): HeaderText {
    if (!this.#byOrigin.has(origin)) return NO_HEADERS;
    return headerText([
      ['access-control-allow-methods', methods.join(', ')],
      ['access-control-allow-headers', REQUEST_HEADERS],
      ['access-control-max-age', String(PREFLIGHT_MAX_AGE_SEC)],
    ]);
  }
}
