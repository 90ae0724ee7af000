/** The words of Duet's mails. Nothing that a stranger typed stands in them: such a mail would carry their message. */
import { HOUR_MS } from '../days.ts';
import { TOKEN_LIFE_MS } from './EmailTokens.ts';

export interface MailText {
  subject: string;
  text: string;
  html: string;
}

interface Parts {
  subject: string;
  paragraphs: string[];
  link?: { label: string; url: string };
  after?: string[];
}

export function verifyMail(url: string): MailText {
  return compose({
    subject: 'Verify your email address',
    paragraphs: ['Somebody, hopefully you, signed up for Duet with this address.'],
    link: { label: 'Verify my address', url },
    after: [
      `The link is good for ${inWords(TOKEN_LIFE_MS.verify)}.`,
      'If it was not you, do not follow it: whoever signed up would get an account in your name. You need not do anything else.',
    ],
  });
}

export function accountExistsMail(url: string): MailText {
  return compose({
    subject: 'You have an account already',
    paragraphs: [
      'Somebody, hopefully you, tried to sign up for Duet with this address, which has an account already.',
      'You can sign in as before. If you forgot your password, choose a new one:',
    ],
    link: { label: 'Choose a new password', url },
    after: ['If it was not you, you need not do anything.'],
  });
}

export function resetMail(url: string): MailText {
  return compose({
    subject: 'Choose a new password',
    paragraphs: ['Somebody, hopefully you, asked for a new password for Duet.'],
    link: { label: 'Choose a new password', url },
    after: [
      `The link is good for ${inWords(TOKEN_LIFE_MS.reset)} and once.`,
      'If it was not you, you need not do anything: your password stays.',
    ],
  });
}

export function passwordChangedMail(at: string, url: string): MailText {
  return compose({
    subject: 'Your password was changed',
    paragraphs: [`The password of your Duet account was changed on ${at}. Everybody else was signed out.`],
    link: { label: 'It was not me: choose a new password', url },
  });
}

export function newDeviceMail(device: string, address: string, at: string, url: string): MailText {
  return compose({
    subject: 'New sign-in to your account',
    paragraphs: [
      `Your Duet account was signed in to from a device that we have not seen before: ${device}, network ${address}, on ${at}.`,
    ],
    link: { label: 'It was not me: choose a new password', url },
    after: ['If it was you, you need not do anything.'],
  });
}

export function sessionReusedMail(device: string, at: string, url: string): MailText {
  return compose({
    subject: 'You were signed out for safety',
    paragraphs: [
      `On ${at} an old key of your sign-in on ${device} was used again. That happens when somebody has copied it, so we ended that sign-in. Please sign in again.`,
    ],
    link: { label: 'Choose a new password', url },
    after: ['If you restored this device from a backup, that was probably the reason.'],
  });
}

export function accountDeletedMail(until: string, url: string): MailText {
  return compose({
    subject: 'Your account is deleted',
    paragraphs: [
      'You deleted your Duet account. Nobody can see you any more, and your matches and calls are over.',
      `On ${until} everything that we hold about you is erased. If you change your mind before then, sign in: your profile, photos and settings come back, your matches do not.`,
    ],
    link: { label: 'Keep my account: sign in', url },
    after: ['If it was not you, sign in and change your password.'],
  });
}

export function accountRestoredMail(at: string, url: string): MailText {
  return compose({
    subject: 'Your account is back',
    paragraphs: [`You signed in on ${at}, so your Duet account is not deleted after all.`],
    link: { label: 'It was not me: choose a new password', url },
    after: ['If it was you, you need not do anything.'],
  });
}

/** `2026-03-01 12:00 UTC` */
export function mailTime(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** Of several hours in hours, of less in minutes. */
function inWords(durationMs: number): string {
  const hours = durationMs / HOUR_MS;
  return hours >= 2 ? `${Math.floor(hours)} hours` : `${Math.floor(hours * 60)} minutes`;
}

function compose({ subject, paragraphs, link, after = [] }: Parts): MailText {
  const text = [...paragraphs, ...(link ? [`${link.label}:\n${link.url}`] : []), ...after, 'Duet'].join(
    '\n\n',
  );
  const html = [
    ...paragraphs.map((line) => `<p>${escapeHtml(line)}</p>`),
    ...(link
      ? [
          `<p><a href="${escapeHtml(link.url)}" style="display:inline-block;padding:12px 20px;border-radius:999px;background:#d6336c;color:#fff;text-decoration:none">${escapeHtml(link.label)}</a></p>`,
          `<p style="color:#666;font-size:13px">${escapeHtml(link.url)}</p>`,
        ]
      : []),
    ...after.map((line) => `<p>${escapeHtml(line)}</p>`),
    '<p>Duet</p>',
  ].join('\n');
  return {
    subject,
    text: `${text}\n`,
    html: `<!doctype html><html lang="en"><body style="font:16px/1.5 system-ui,sans-serif;max-width:32em;margin:2em auto;padding:0 1em">\n${html}\n</body></html>\n`,
  };
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
