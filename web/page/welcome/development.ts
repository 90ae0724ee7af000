/** The two helpers that a development server offers; in production both answer 404 and nothing of this is shown. */

export type DemoPerson = {
  displayName: string;
  email: string;
  age: number;
  gender: string;
  thumbnailUrl: string | null;
};
export type Mail = { to: string; subject: string; text: string; at: string };

/** Every demo person's password. */
export const DEMO_PASSWORD = 'duet-demo';

export async function demoPeople(): Promise<DemoPerson[]> {
  return await items<DemoPerson>('/dev/people');
}

/** The newest mail to an address, or undefined. */
export async function newestMail(to: string): Promise<Mail | undefined> {
  const [mail] = await items<Mail>(`/dev/mailbox?to=${encodeURIComponent(to)}`);
  return mail;
}

/** The first link with a token in a mail's text, as a path of this page. */
export function tokenLink(mail: Mail): string | undefined {
  const found = /https?:\/\/\S+[?&]token=[^\s>")]+/.exec(mail.text)?.[0];
  if (!found) return undefined;
  const url = new URL(found);
  return `${url.pathname}${url.search}${url.hash}`;
}

async function items<T>(path: string): Promise<T[]> {
  try {
    const response = await fetch(path);
    return response.ok ? ((await response.json()).items ?? []) : [];
  } catch {
    return [];
  }
}
