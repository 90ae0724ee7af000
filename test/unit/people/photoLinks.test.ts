import { describe, expect, it } from 'vitest';
import { PhotoLinks } from '../../../src/people/PhotoLinks.ts';
import { FakeClock } from '../../support/FakeClock.ts';

const viewerId = '0190a0a0-0000-7000-8000-00000000000a';
const HOUR_MS = 3_600_000;

function parts(url: string) {
  const { pathname, searchParams } = new URL(url);
  const [, , key, file] = pathname.split('/');
  return [key!, file!, searchParams.get('t')!, searchParams.get('s')!] as const;
}

function make(secret = 'a secret of at least some length') {
  const clock = new FakeClock();
  return { clock, links: new PhotoLinks({ clock, secret, publicUrl: () => 'https://duet.test' }) };
}

describe('links to photos', () => {
  it('say who may look at what, for one to two hours', () => {
    const { clock, links } = make();
    const link = parts(links.urlFor(viewerId, 'random-key', 'thumb'));
    expect(links.read(...link)).toEqual({ viewerId, key: 'random-key', file: 'thumb' });
    clock.advance(HOUR_MS - 1);
    expect(links.read(...link)).toBeDefined();
    clock.advance(HOUR_MS + 2);
    expect(links.read(...link)).toBeUndefined();
  });

  it('stay the same for a while, so that browsers can keep the picture', () => {
    const { clock, links } = make();
    const first = links.urlFor(viewerId, 'k', 'card');
    clock.advance(60_000);
    expect(links.urlFor(viewerId, 'k', 'card')).toBe(first);
    clock.advance(HOUR_MS * 1.5);
    const later = links.urlFor(viewerId, 'k', 'card');
    expect(later).not.toBe(first);
    expect(links.read(...parts(later))).toBeDefined();
  });

  it('hold no id, and nothing of them can be changed', () => {
    const { links } = make();
    const url = links.urlFor(viewerId, 'random-key', 'card');
    expect(url).not.toContain(viewerId.slice(-12));
    const [key, file, token, signature] = parts(url);
    const other = parts(links.urlFor('0190a0a0-0000-7000-8000-00000000000b', key, 'card'));
    const wrong: [string, string, string, string][] = [
      ['other-key', file, token, signature],
      [key, 'full.webp', token, signature],
      [key, 'card.png', token, signature],
      [key, file, other[2], signature],
      [key, file, `${token}A`, signature],
      [key, file, token, signature.slice(0, -2)],
      [key, file, token, ''],
      [key, file, '', ''],
    ];
    for (const tampered of wrong) expect(links.read(...tampered)).toBeUndefined();
    expect(make('another secret of some length').links.read(key, file, token, signature)).toBeUndefined();
  });
});
