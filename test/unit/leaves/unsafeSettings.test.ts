/** FT-35, AUTH-39: what has the right form and is not safe stops the start as well. */
import { describe, expect, it } from 'vitest';
import { ConfigError, readConfig } from '../../../src/config.ts';

const GOOD = {
  JWT_SECRET: 'o5Xk2vQm9sT4wZ7yB1dF6gH3jL8nP0rC',
  DATA_KEY: 'b41e8d0c7f9a2356b41e8d0c7f9a2357aa',
  TURN_SECRET: '0f9e8d7c6b5a43210fedcba987654321',
};
const PRODUCTION = {
  ...GOOD,
  NODE_ENV: 'production',
  PUBLIC_URL: 'https://duet.example',
  DB_URL: 'postgres://duet@db.example/duet',
  S3_ENDPOINT: 'https://s3.example',
  AWS_ACCESS_KEY_ID: 'key',
  AWS_SECRET_ACCESS_KEY: 'secret',
  SMTP_URL: 'smtp://mail.example',
  MEDIA_ANNOUNCED_ADDRESS: '203.0.113.7',
};

/** Which variables are complained about. */
function wrong(environment: Record<string, string>): string[] {
  try {
    readConfig(environment);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const value of Object.values(environment).filter((value) => value.length > 20))
      expect(error.message).not.toContain(value);
    return error.problems.map((problem) => problem.split(':')[0]!);
  }
}

describe('the configuration', () => {
  it('takes what is safe', () => {
    expect(wrong({})).toEqual([]);
    expect(wrong(PRODUCTION)).toEqual([]);
  });

  it.each([
    ['blank', ' '.repeat(40)],
    ['the sample, again and again', 'your-secret-key'.repeat(3)],
    ['the sample in capitals, with something between', 'Your-Secret-Key.Your-Secret-Key.your-secret-key'],
    ['the long sample', 'change-me-to-64-random-characters'],
  ])('refuses a secret that is %s, anywhere', (_, secret) => {
    for (const name of ['JWT_SECRET', 'JWT_PREVIOUS_SECRET', 'DATA_KEY']) {
      expect(wrong({ [name]: secret })).toContain(name);
      expect(wrong({ ...PRODUCTION, [name]: secret })).toContain(name);
    }
  });

  it('refuses the sample as the secret of before', () => {
    expect(wrong({ JWT_PREVIOUS_SECRET: 'your-secret-key' })).toContain('JWT_PREVIOUS_SECRET');
  });

  it.each([
    ['one letter', 'x'.repeat(40)],
    ['a few letters', 'abcabcabcabcabcabcabcabcabcabcabcabcabc'],
    ['a short text, again and again', '0123456789'.repeat(4)],
  ])('refuses a secret of %s in production', (_, secret) => {
    for (const name of ['JWT_SECRET', 'JWT_PREVIOUS_SECRET', 'DATA_KEY', 'TURN_SECRET'])
      expect(wrong({ ...PRODUCTION, [name]: secret })).toEqual([name]);
  });

  it('refuses one secret for two in production', () => {
    expect(wrong({ ...PRODUCTION, DATA_KEY: GOOD.JWT_SECRET })).toEqual(['DATA_KEY']);
  });

  it('wants a secret for TURN, and in production one that cannot be guessed', () => {
    expect(wrong({ TURN_URLS: 'turn:turn.example' })).toEqual(['TURN_URLS']);
    expect(wrong({ ...PRODUCTION, TURN_SECRET: 'short' })).toEqual(['TURN_SECRET']);
    expect(wrong({ TURN_URLS: 'turn:turn.example', TURN_SECRET: 'short' })).toEqual([]);
  });

  it('wants https in production, but on this machine', () => {
    expect(wrong({ ...PRODUCTION, PUBLIC_URL: 'http://duet.example' })).toEqual(['PUBLIC_URL']);
    expect(wrong({ ...PRODUCTION, PUBLIC_URL: 'http://127.0.0.1.example' })).toEqual(['PUBLIC_URL']);
    for (const url of ['http://localhost:3000', 'http://127.0.0.1:3000', 'http://[::1]:3000'])
      expect(wrong({ ...PRODUCTION, PUBLIC_URL: url })).toEqual([]);
    expect(wrong({ PUBLIC_URL: 'http://duet.example' })).toEqual([]);
  });

  it('takes origins as browsers spell them', () => {
    for (const origin of ['https://a.example', 'http://localhost:5173', 'capacitor://localhost'])
      expect(wrong({ ALLOWED_ORIGINS: origin }), origin).toEqual([]);
    for (const origin of [
      '*',
      'null',
      'https://*',
      'https://*.example',
      'https://a.example/',
      'https://a.example/path',
      'https://A.example',
      'https://a.example:443',
      'https://user@a.example',
      'https://a.example\r\nx-evil: 1',
      'a.example',
      'file:///',
    ])
      expect(wrong({ ALLOWED_ORIGINS: `https://good.example, ${origin}` }), origin).toEqual([
        'ALLOWED_ORIGINS',
      ]);
  });

  it('takes proxies that are addresses, and not everybody', () => {
    for (const proxies of ['127.0.0.1', '10.0.0.0/8, fd00::/8', '::1', 'fc00::/7'])
      expect(wrong({ TRUSTED_PROXIES: proxies }), proxies).toEqual([]);
    for (const proxies of [
      '0.0.0.0/0',
      '::/0',
      '0.0.0.0/1',
      '10.0.0.0/33',
      'proxy.example',
      '10.0.0.0/',
      '1.2.3',
    ])
      expect(wrong({ TRUSTED_PROXIES: proxies }), proxies).toEqual(['TRUSTED_PROXIES']);
  });
});
