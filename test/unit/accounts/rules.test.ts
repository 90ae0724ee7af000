import { describe, expect, it, vi } from 'vitest';
import { mailboxKey } from '../../../src/accounts/Bans.ts';
import { addressKey, deviceName, shortAddress } from '../../../src/accounts/client.ts';
import { isCommonPassword } from '../../../src/accounts/commonPasswords.ts';
import { emailKey } from '../../../src/accounts/emailKey.ts';
import { choosePassword } from '../../../src/accounts/passwordRules.ts';
import { Email, NewPassword, RegisterBody } from '../../../src/accounts/shapes.ts';
import { deriveKey, seal, unseal } from '../../../src/platform/keys.ts';

describe('addresses', () => {
  it('are compared after NFKC, trimming and case folding', () => {
    const same = [
      'robin@example.org',
      'Robin@Example.org',
      ' ROBIN@EXAMPLE.ORG ',
      'ｒｏｂｉｎ@example.org',
      'robin@ｅxample.org',
    ];
    for (const email of same) expect(emailKey(email), email).toBe('robin@example.org');
    expect(emailKey('ΟΔΟΣ@example.org')).toBe(emailKey('οδος@example.org'));
    // Other people's mailboxes.
    expect(emailKey('mıke@example.org')).not.toBe(emailKey('mike@example.org'));
    expect(emailKey('straße@example.org')).not.toBe(emailKey('strasse@example.org'));
    expect(Email.parse(' ｒobin@Example.org ')).toBe('robin@Example.org');
    expect(emailKey('ſam@example.org')).toBe('sam@example.org');
  });

  it('have one domain, whether its name is written in letters or in the form of DNS', () => {
    for (const domain of [
      'bücher.test',
      'BÜCHER.test',
      'bu\u0308cher.test',
      'xn--bcher-kva.test',
      'XN--BCHER-KVA.TEST',
    ])
      expect(emailKey(`a@${domain}`), domain).toBe('a@xn--bcher-kva.test');
    expect(emailKey('müller@bücher.test')).toBe('müller@xn--bcher-kva.test');
    expect(mailboxKey('a.b+c@bücher.test')).toBe('ab@xn--bcher-kva.test');
    // Other domains (IDNA 2008), and what is no name at all.
    expect(emailKey('a@straße.test')).not.toBe(emailKey('a@strasse.test'));
    expect(emailKey('a@οδος.test')).not.toBe(emailKey('a@οδοσ.test'));
    for (const odd of ['a@127.1', 'a@xn--a', 'a@b_c', 'bücher', 'xn--bcher-kva.test', '@', ''])
      expect(emailKey(odd), odd).toBe(odd);
  });

  it('have the form of one', () => {
    for (const good of [
      'a@b.c',
      'first.last+tag@sub.example.org',
      'jörg@müller.example',
      ' a@b.c ',
      "o'neil@example.org",
    ]) {
      expect(Email.safeParse(good).success, good).toBe(true);
    }
    const bad = [
      '',
      'a',
      '@b.c',
      'a@',
      'a@b@c.d',
      'a b@c.d',
      'a@b..c',
      'a@-b.c',
      'a\r\nBcc: x@y.z@b.c',
      '<a@b.c>',
      'a@b.c, d@e.f',
      `${'a'.repeat(65)}@b.c`,
      `a@${'b'.repeat(250)}.c`,
      'a\u200b@b.c',
    ];
    for (const email of bad) expect(Email.safeParse(email).success, email).toBe(false);
  });
});

describe('passwords', () => {
  it('have 8 to 256 characters, counted as people do (AUTH-33)', () => {
    const accepted = (password: string) => NewPassword.safeParse(password).success;
    expect(accepted('x'.repeat(7))).toBe(false);
    expect(accepted('x'.repeat(8))).toBe(true);
    expect(accepted('x'.repeat(64))).toBe(true);
    expect(accepted('x'.repeat(256))).toBe(true);
    expect(accepted('x'.repeat(257))).toBe(false);
    expect(accepted('🎹'.repeat(7))).toBe(false);
    expect(accepted('🎹'.repeat(8))).toBe(true);
    expect(accepted('🎹'.repeat(256))).toBe(true);
    expect(accepted('🎹'.repeat(257))).toBe(false);
    const huge = Buffer.alloc(10_000_000, 'x').toString();
    // Refused by its length in code units: nobody goes through it to count what people count.
    const counted = vi.spyOn(String.prototype, Symbol.iterator);
    expect(accepted('x'.repeat(8))).toBe(true);
    expect(counted).toHaveBeenCalled();
    counted.mockClear();
    expect(accepted(huge)).toBe(false);
    expect(counted).not.toHaveBeenCalled();
    counted.mockRestore();
  });

  it('are none of the most common ones, nor the own name', () => {
    for (const common of [
      '12345678',
      'password',
      'PASSWORD',
      'qwertyuiop',
      'iloveyou',
      'sunshine',
      'football1',
      'Password1',
    ]) {
      expect(isCommonPassword(common), common).toBe(true);
    }
    expect(isCommonPassword('a quiet violet harbour')).toBe(false);
    const names = ['robin.smith@example.org', 'Robin Smith'];
    for (const own of ['robin.smith@example.org', 'Robin.Smith', 'robin smith']) {
      expect(() => choosePassword(own, 'password', names), own).toThrow();
    }
    expect(() => choosePassword('a quiet violet harbour', 'password', names)).not.toThrow();
  });
});

describe('the body of a registration', () => {
  const good = {
    email: 'a@b.c',
    password: 'x'.repeat(12),
    displayName: 'Robin',
    birthDate: '1990-01-31',
    gender: 'woman',
  };

  it('has these fields and no others', () => {
    expect(RegisterBody.safeParse(good).success).toBe(true);
    for (const more of [{ role: 'admin' }, { status: 'active' }, { emailVerified: true }, { id: 'x' }]) {
      expect(RegisterBody.safeParse({ ...good, ...more }).success, JSON.stringify(more)).toBe(false);
    }
    for (const name of Object.keys(good)) {
      expect(RegisterBody.safeParse({ ...good, [name]: { $ne: null } }).success, name).toBe(false);
      expect(RegisterBody.safeParse({ ...good, [name]: undefined }).success, name).toBe(false);
    }
  });

  it('has a name as a profile may have it', () => {
    for (const displayName of ['Ann\u202egpj', '\u200b', `Z${'\u0317'.repeat(8)}`, 'a\ue000b']) {
      expect(RegisterBody.safeParse({ ...good, displayName }).success, JSON.stringify(displayName)).toBe(
        false,
      );
    }
    const family = '👨‍👩‍👧‍👦'.repeat(50);
    expect(RegisterBody.parse({ ...good, displayName: ` ${family} ` }).displayName).toBe(family);
  });

  it('has a day of the calendar, on which somebody who lives may have been born', () => {
    for (const birthDate of [
      '0000-05-05',
      '0001-01-01',
      '1899-12-31',
      '1990-02-30',
      '1990-13-01',
      '90-01-01',
      '1990-1-1',
      '1990-01-31T00:00:00Z',
      '',
    ]) {
      expect(RegisterBody.safeParse({ ...good, birthDate }).success, birthDate).toBe(false);
    }
    expect(RegisterBody.safeParse({ ...good, birthDate: '1900-01-01' }).success).toBe(true);
  });
});

describe('callers', () => {
  it('are named by browser and system', () => {
    const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
    const chrome =
      'Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0 Mobile Safari/537.36';
    const safari =
      'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1';
    expect(deviceName(firefox)).toBe('Firefox on Linux');
    expect(deviceName(firefox.replaceAll('140', '141'))).toBe('Firefox on Linux');
    expect(deviceName(chrome)).toBe('Chrome on Android');
    expect(deviceName(safari)).toBe('Safari on iOS');
    expect(deviceName('')).toBe('an unknown client');
    expect(deviceName('<script>'.repeat(10_000))).toBe('an unknown client');
  });

  it('have addresses cut to their network', () => {
    expect(shortAddress('203.0.113.77')).toBe('203.0.113.0/24');
    expect(shortAddress('::ffff:203.0.113.77')).toBe('203.0.113.0/24');
    expect(shortAddress('2001:db8:abcd:12:1:2:3:4')).toBe('2001:db8:abcd::/48');
    expect(shortAddress('2001:db8::1')).toBe('2001:db8:0::/48');
    expect(shortAddress('::1')).toBe('0:0:0::/48');
    expect(shortAddress('nonsense')).toBe('unknown');
  });

  it('are counted by address, and by /64 where a household has that many', () => {
    expect(addressKey('203.0.113.77')).toBe('203.0.113.77');
    expect(addressKey('2001:db8:1:2:3:4:5:6')).toBe(addressKey('2001:db8:1:2::ffff'));
    expect(addressKey('2001:db8:1:3::1')).not.toBe(addressKey('2001:db8:1:2::1'));
  });
});

describe('sealing', () => {
  it('opens with the same key only, and only what was not changed', () => {
    const key = deriveKey('secret', 'one');
    const sealed = seal(key, 'a link');
    expect(unseal(key, sealed)).toBe('a link');
    expect(sealed.includes('link')).toBe(false);
    expect(unseal(deriveKey('secret', 'other'), sealed)).toBeUndefined();
    sealed[sealed.length - 1]! ^= 1;
    expect(unseal(key, sealed)).toBeUndefined();
    expect(unseal(key, Buffer.alloc(3))).toBeUndefined();
  });
});
