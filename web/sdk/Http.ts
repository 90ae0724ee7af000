import { DuetApiError } from './DuetApiError.ts';

/** Who knows the access token. */
export interface Bearer {
  /** A token that is still good, renewed if need be; undefined when nobody is signed in. */
  accessToken(): Promise<string | undefined>;
  /** The server refused `token`: tries to get a newer one. False when that cannot be. */
  renew(token: string): Promise<boolean>;
}

export type RequestOptions = {
  /** Sent as JSON, or as it is when it is a `Blob` (a photo). */
  body?: unknown;
  headers?: Record<string, string>;
  /** False for what needs no account. */
  signedIn?: boolean;
  /** Sent in the place of the bearer's. */
  token?: string;
  /** Makes a repeated POST the same POST. */
  idempotencyKey?: string;
};

const TIMEOUT_MS = 20_000;
const UPLOAD_TIMEOUT_MS = 90_000;

/** JSON over HTTP under `/api/v1`, with the bearer's token; every failure is a `DuetApiError`. */
export class Http {
  readonly baseUrl: string;
  #bearer: Bearer | undefined;

  constructor(baseUrl: string) {
    this.baseUrl = baseUrl.replace(/\/$/, '');
  }

  useBearer(bearer: Bearer): void {
    this.#bearer = bearer;
  }

  get<T>(path: string): Promise<T> {
    return this.request('GET', path);
  }

  post<T>(path: string, body?: unknown, options: RequestOptions = {}): Promise<T> {
    return this.request('POST', path, { ...options, body });
  }

  async request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const isBearers = (options.signedIn ?? true) && options.token === undefined;
    if (!isBearers) return await this.#send<T>(method, path, options, options.token);
    const token = await this.#bearer?.accessToken();
    try {
      return await this.#send<T>(method, path, options, token);
    } catch (error) {
      const refused = error instanceof DuetApiError && error.status === 401 && error.code === 'UNAUTHORIZED';
      if (!refused || token === undefined || !(await this.#bearer?.renew(token))) throw error;
      return await this.#send<T>(method, path, options, await this.#bearer?.accessToken());
    }
  }

  async #send<T>(method: string, path: string, options: RequestOptions, token?: string): Promise<T> {
    const { body } = options;
    const isBlob = body instanceof Blob;
    const headers: Record<string, string> = { ...options.headers };
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    if (options.idempotencyKey) headers['idempotency-key'] = options.idempotencyKey;
    if (body !== undefined) headers['content-type'] = isBlob ? body.type : 'application/json';
    let response: Response;
    try {
      response = await fetch(`${this.baseUrl}/api/v1${path}`, {
        method,
        headers,
        body: body === undefined ? undefined : isBlob ? body : JSON.stringify(body),
        signal: AbortSignal.timeout(isBlob ? UPLOAD_TIMEOUT_MS : TIMEOUT_MS),
      });
    } catch {
      throw DuetApiError.network();
    }
    return await read<T>(response);
  }
}

async function read<T>(response: Response): Promise<T> {
  if (response.status === 204) return undefined as T;
  const body: unknown = await response.json().catch(() => undefined);
  // Not of Duet: a hotel's sign-in page, or an answer that was cut off.
  if (response.ok && body === undefined) throw DuetApiError.network();
  if (response.ok) return body as T;
  const retryAfterSec = Number(response.headers.get('retry-after') ?? Number.NaN);
  throw new DuetApiError(
    response.status,
    typeof body === 'object' && body !== null ? body : {},
    Number.isFinite(retryAfterSec) ? retryAfterSec : undefined,
  );
}
