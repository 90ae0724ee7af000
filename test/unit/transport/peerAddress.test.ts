import { describe, expect, test } from 'vitest';
import { peerAddress, TrustedProxies } from '../../../src/transport/peerAddress.ts';

const v4 = (text: string) => Uint8Array.from(text.split('.').map(Number)).buffer;
const v6 = (...groups: number[]) =>
  Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])).buffer;
const LOOPBACK_6 = v6(0, 0, 0, 0, 0, 0, 0, 1);
const never = () => {
  throw new Error('The header was asked.');
};

describe('peerAddress', () => {
  const none = new TrustedProxies([]);
  const some = new TrustedProxies(['10.0.0.0/8', '192.0.2.7', 'fd00::/8', '::1']);

  test('is the socket’s end where no proxy is trusted, and no header is even read', () => {
    expect(peerAddress(v4('203.0.113.9'), none, never)).toBe('203.0.113.9');
    expect(peerAddress(v4('10.0.0.1'), none, never)).toBe('10.0.0.1');
    expect(peerAddress(v4('11.0.0.1'), some, never)).toBe('11.0.0.1');
  });

  test('has one spelling for each address', () => {
    expect(peerAddress(v6(0, 0, 0, 0, 0, 0xffff, 0x0102, 0x0304), none, never)).toBe('1.2.3.4');
    expect(peerAddress(LOOPBACK_6, none, never)).toBe('::1');
    expect(peerAddress(v6(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0xa), none, never)).toBe('2001:db8::a');
    expect(peerAddress(new ArrayBuffer(0), none, never)).toBe('unknown');
    const through = (hop: string) => peerAddress(LOOPBACK_6, some, () => hop);
    expect(through('2001:DB8:0:0:0:0:0:A')).toBe('2001:db8::a');
    expect(through('::ffff:1.2.3.4')).toBe('1.2.3.4');
    expect(through('[2001:db8::a]:8080')).toBe('2001:db8::a');
    expect(through('[2001:db8::a]')).toBe('2001:db8::a');
    expect(through('1.2.3.4:8080')).toBe('1.2.3.4');
  });

  test.each([
    ['6.6.6.6, 203.0.113.9', '203.0.113.9'],
    ['6.6.6.6, 203.0.113.9, 10.2.3.4, 192.0.2.7', '203.0.113.9'],
    ['6.6.6.6,203.0.113.9,fd00::5', '203.0.113.9'],
    ['10.2.3.4', '10.2.3.4'],
    ['10.9.9.9, 10.2.3.4', '10.9.9.9'],
    ['', '10.0.0.1'],
    ['nonsense', '10.0.0.1'],
    ['203.0.113.9, nonsense', '10.0.0.1'],
    ['6.6.6.6, unknown, 10.2.3.4', '10.2.3.4'],
    ['fe80::1%eth0', '10.0.0.1'],
    ['127.1', '10.0.0.1'],
    ['1.2.3.4/x', '10.0.0.1'],
  ])('takes the rightmost hop of "%s" that is no proxy of ours: %s', (forwarded, expected) => {
    expect(peerAddress(v4('10.0.0.1'), some, () => forwarded)).toBe(expected);
  });

  test('a proxy may be one address, or a range as long as its kind of address', () => {
    const exact = new TrustedProxies(['10.0.0.1/32', 'fd00::1/128', '2001:db8::/48']);
    for (const [address, isTrusted] of [
      ['10.0.0.1', true],
      ['10.0.0.2', false],
      ['fd00::1', true],
      ['fd00::2', false],
      ['2001:db8:0:1::5', true],
      ['2001:db8:1::5', false],
    ] as const)
      expect([address, exact.has(address)]).toEqual([address, isTrusted]);
  });

  test.each([
    'nonsense',
    '',
    '10.0.0.0/x',
    '10.0.0.0/33',
    '10.0.0.0/129',
    'fd00::/129',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    'fd00::/8x',
    '300.0.0.1',
  ])('a proxy "%s" is refused at the start', (range) => {
    expect(() => new TrustedProxies([range])).toThrow(/trusted proxies/);
  });
});
