import { describe, expect, it } from 'vitest';
import { readConfig } from '../../../src/config.ts';

const SECRET = 'a-good-secret-of-more-than-32-characters-0123456789';
const PRODUCTION = {
  NODE_ENV: 'production',
  JWT_SECRET: SECRET,
  DATA_KEY: `${SECRET}-of-data`,
  PUBLIC_URL: 'https://duet.example',
  DB_URL: 'postgres://duet@db.example/duet',
  S3_ENDPOINT: 'https://s3.example',
  AWS_ACCESS_KEY_ID: 'key',
  AWS_SECRET_ACCESS_KEY: 'secret',
  SMTP_URL: 'smtp://mail.example',
  MEDIA_LISTEN_ADDRESS: '0.0.0.0',
};
const announcing =
  (MEDIA_ANNOUNCED_ADDRESS: string, more = {}) =>
  () =>
    readConfig({ ...PRODUCTION, MEDIA_ANNOUNCED_ADDRESS, ...more });

describe('in production the SFU announces', () => {
  it.each(['203.0.113.7', '2001:db8::7', 'sfu.duet.example', '172.32.0.1', '100.128.0.1'])(
    '%s',
    (address) => {
      expect(announcing(address)().media.announcedAddress).toBe(address);
    },
  );

  it.each(['0.0.0.0', '::', '127.0.0.1', '::1', '169.254.1.1', 'fe80::1'])('never %s', (address) => {
    for (const more of [{}, { MEDIA_ALLOW_PRIVATE: 'true' }])
      expect(announcing(address, more)).toThrow('MEDIA_ANNOUNCED_ADDRESS: no other machine');
  });

  it.each(['10.1.2.3', '172.16.0.1', '192.168.1.5', '100.64.0.9', 'fd00::1'])(
    '%s only when told so',
    (address) => {
      expect(announcing(address)).toThrow('MEDIA_ANNOUNCED_ADDRESS: is a private address');
      expect(announcing(address, { MEDIA_ALLOW_PRIVATE: 'true' })().media.announcedAddress).toBe(address);
    },
  );
});
