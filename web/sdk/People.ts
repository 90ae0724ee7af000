import type { Http } from './Http.ts';
import type {
  BlockedPerson,
  Card,
  Me,
  Page,
  Photo,
  PreferencesUpdate,
  ProfileUpdate,
  ReportInput,
} from './types.ts';

/** The own profile, other people's cards, and keeping away from some of them. */
export class People {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  me(): Promise<Me> {
    return this.#http.get('/users/me');
  }

  updateMe(profile: ProfileUpdate): Promise<Me> {
    return this.#http.request('PUT', '/users/me', { body: profile });
  }

  /** Ages in years, distance in km. Errors: `INVALID_AGE_RANGE`. */
  updatePreferences(preferences: PreferencesUpdate): Promise<Me> {
    return this.#http.request('PATCH', '/users/me/preferences', { body: preferences });
  }

  /** A JPEG, PNG or WebP of at most 10 MB. Errors: `PAYLOAD_TOO_LARGE`, `UNSUPPORTED_MEDIA_TYPE`. */
  addPhoto(image: Blob): Promise<Photo> {
    return this.#http.post('/users/me/photos', image);
  }

  removePhoto(photoId: string): Promise<void> {
    return this.#http.request('DELETE', `/users/me/photos/${photoId}`);
  }

  orderPhotos(photoIds: string[]): Promise<Me> {
    return this.#http.request('PUT', '/users/me/photos/order', { body: { photoIds } });
  }

  /** One page of those who fit. */
  discovery(options: { limit?: number; cursor?: string } = {}): Promise<Page<Card>> {
    return this.#http.get(`/users/discovery${query(options)}`);
  }

  /** Pages of discovery, one after the other, until there are no more. */
  async *discoveryPages(limit = 10): AsyncGenerator<Card[]> {
    let cursor: string | undefined;
    do {
      const page: Page<Card> = await this.discovery({ limit, cursor });
      yield page.items;
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
  }

  card(userId: string): Promise<Card> {
    return this.#http.get(`/users/${userId}`);
  }

  report(userId: string, input: ReportInput): Promise<{ reportId: string }> {
    return this.#http.post(`/users/report/${userId}`, input);
  }

  /** Ends everything between the two at once. */
  block(userId: string): Promise<void> {
    return this.#http.post(`/users/block/${userId}`);
  }

  unblock(userId: string): Promise<void> {
    return this.#http.request('DELETE', `/users/block/${userId}`);
  }

  /** Whom one has blocked, the last one first. */
  blocked(options: { limit?: number; cursor?: string } = {}): Promise<Page<BlockedPerson>> {
    return this.#http.get(`/users/blocked${query(options)}`);
  }

  /** Gives the account up; it is erased at `eraseAt`, unless somebody signs in to it before. */
  deleteMe(password: string): Promise<{ eraseAt: string }> {
    return this.#http.request('DELETE', '/users/me', { body: { password } });
  }

  /** Everything that is held. Errors: `FORBIDDEN` later than 15 minutes after signing in: sign in again. */
  exportMe(): Promise<{ exportedAt: string; profile: Me; held: Record<string, object[]> }> {
    return this.#http.get('/users/me/export');
  }
}

/** `?a=1&b=2` of what is defined, or nothing. */
export function query(values: Record<string, string | number | undefined>): string {
  const pairs = Object.entries(values).filter(([, value]) => value !== undefined);
  return pairs.length === 0
    ? ''
    : `?${new URLSearchParams(pairs.map(([key, value]): [string, string] => [key, String(value)]))}`;
}
