import { expect } from 'vitest';
import { PASSWORD, registration, until } from '../../support/accounts.ts';
import { useApp } from '../../support/app.ts';
import { type Json, request } from '../../support/client.ts';

type Options = Parameters<typeof request>[3];

/** The program, for the test file that calls this, and its door for accounts, with as few guesses as it has outside. */
export function useDoor() {
  const app = useApp({ LIMIT_LOGIN: '5' });
  const post = (path: string, body?: unknown, options: Options = {}) =>
    request(app.url, 'POST', `/api/v1${path}`, { body, ...options });
  const registered = async (given: Parameters<typeof registration>[0] = {}) => {
    const body = registration(given);
    expect(await post('/auth/register', body)).toMatchObject({ status: 202 });
    return body;
  };
  return {
    app,
    post,
    get: (path: string, token: string) => request(app.url, 'GET', `/api/v1${path}`, { token }),
    /** A body with which somebody registered. */
    registered,
    /** The address of somebody who registered. */
    register: async () => (await registered()).email,
    login: async (email: string, headers: Record<string, string> = {}): Promise<Json> => {
      const answer = await post('/auth/login', { email, password: PASSWORD }, { headers });
      expect(answer.status).toBe(200);
      return answer.body;
    },
    /** The token in a mail with such a subject. */
    mailedToken: async (email: string, subject: RegExp): Promise<string> => {
      const mail = await until(async () => {
        const answer = await request(app.url, 'GET', `/dev/mailbox?to=${encodeURIComponent(email)}`);
        return answer.body.items.find((item: Json) => subject.test(item.subject));
      });
      return /\?token=([\w-]+)/.exec(mail.text)![1]!;
    },
  };
}
