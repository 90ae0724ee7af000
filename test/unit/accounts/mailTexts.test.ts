import { describe, expect, it } from 'vitest';
import { TOKEN_LIFE_MS } from '../../../src/accounts/EmailTokens.ts';
import {
  accountExistsMail,
  mailTime,
  newDeviceMail,
  passwordChangedMail,
  resetMail,
  sessionReusedMail,
  verifyMail,
} from '../../../src/accounts/mailTexts.ts';

const URL = 'https://duet.test/page?token=abc&x=1';
const AT = mailTime(Date.UTC(2030, 1, 3, 4, 5, 6));
const MAILS = {
  verify: verifyMail(URL),
  exists: accountExistsMail(URL),
  reset: resetMail(URL),
  changed: passwordChangedMail(AT, URL),
  device: newDeviceMail('<b>Firefox</b>', '203.0.113.0/24', AT, URL),
  reused: sessionReusedMail('Firefox on Linux', AT, URL),
};

describe('the texts of mails', () => {
  it('say the same in text and HTML, with the link whole', () => {
    for (const [kind, mail] of Object.entries(MAILS)) {
      expect(mail.subject, kind).toMatch(/^[A-Z][^\r\n]+$/);
      expect(mail.text, kind).toContain(`\n${URL}\n`);
      expect(mail.html, kind).toContain(`href="${URL.replaceAll('&', '&#38;')}"`);
      const words = mail.html
        .replace(/<[^>]+>/g, ' ')
        .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code));
      for (const line of mail.text.split('\n').filter((one) => one !== '' && !one.endsWith(':'))) {
        expect(words.replace(/\s+/g, ' '), kind).toContain(line.replace(/\s+/g, ' '));
      }
    }
  });

  it('say how long their links are good', () => {
    // In the words of the contract's readers; the tokens live by the same figures.
    expect(TOKEN_LIFE_MS).toEqual({ verify: 24 * 3_600_000, reset: 30 * 60_000 });
    expect(MAILS.verify.text).toContain('good for 24 hours.');
    expect(MAILS.reset.text).toContain('good for 30 minutes and once.');
  });

  it('hold no markup of others', () => {
    expect(MAILS.device.html).not.toContain('<b>');
    expect(MAILS.device.text).toContain('<b>Firefox</b>, network 203.0.113.0/24, on 2030-02-03 04:05 UTC.');
  });
});
