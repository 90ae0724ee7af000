import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { mailboxKey } from '../../../src/accounts/Bans.ts';
import { emailKey } from '../../../src/accounts/emailKey.ts';
import { EmailBody, LoginBody, RegisterBody } from '../../../src/accounts/shapes.ts';
import { normalized } from '../../../src/normalized.ts';
import { ProfileEdit } from '../../../src/people/shapes.ts';
import { ReportHandling, ReportInput } from '../../../src/safety/shapes.ts';

const ROOT = join(import.meta.dirname, '../../..');
/** What takes a second and more to put into order, in shapes that hide it. */
const TOWERS = [
  `a${['\u0345', '\u0315', '\u0316', '\u0334'].map((mark) => mark.repeat(7_900)).join('')}`,
  `a${'\u0345'.repeat(15_000)}\u0334`,
  `a${`${'\u0345'.repeat(15)}${'\u0334'.repeat(15)}\uff9e`.repeat(500)}`,
  `${' '.repeat(4_000)}a${'\u0345\u0334'.repeat(200)}`,
  'a\u0345\u0334'.repeat(10_000),
  `a${'\u{16d67}'.repeat(8_000)}`,
];

afterEach(() => vi.restoreAllMocks());

describe('normalisation', () => {
  it('composes what people write', () => {
    expect(normalized('Zoe\u0308', 'NFC', 10)).toBe('Zo\u00eb');
    expect(normalized('ｒｏｂｉｎ', 'NFKC', 10)).toBe('robin');
    expect(normalized(`a${'\u0301'.repeat(30)}`, 'NFC', 100)).toBeDefined();
    expect(normalized(`a${'\u0301'.repeat(31)}`, 'NFC', 100)).toBeUndefined();
    expect(normalized('abc', 'NFC', 2)).toBeUndefined();
  });

  it('is asked for nothing long, and for no tower of marks, by whatever takes text from outside', () => {
    const seen: string[] = [];
    const original = String.prototype.normalize;
    vi.spyOn(String.prototype, 'normalize').mockImplementation(function (this: string, form) {
      seen.push(String(this));
      return String(this).length > 20_000 ? String(this) : original.call(this, form);
    });
    for (const tower of TOWERS) {
      const email = `${tower}@example.org`;
      const person = { password: 'a quiet violet harbour', birthDate: '1990-01-31', gender: 'woman' };
      for (const [schema, body] of [
        [EmailBody, { email }],
        [LoginBody, { email, password: 'x' }],
        [RegisterBody, { email, ...person, displayName: 'Ann' }],
        [RegisterBody, { email: 'a@b.c', ...person, displayName: tower }],
        [ProfileEdit, { bio: tower }],
        [ProfileEdit, { bio: tower.slice(0, 13_000) }],
        [ProfileEdit, { interests: Array.from({ length: 20 }, () => tower.slice(0, 800)) }],
        [ReportInput, { reason: 'spam', details: tower }],
        [ReportHandling, { status: 'resolved', resolution: tower }],
      ] as const) {
        const { success } = schema.safeParse(body);
        expect(success, JSON.stringify(body).slice(0, 60)).toBe(false);
      }
      emailKey(email);
      mailboxKey(email);
    }
    for (const text of seen) {
      expect(text.length).toBeLessThanOrEqual(56_000);
      expect(/\p{M}{31}/u.test(text)).toBe(false);
    }
    // A text of 500 characters may be 14,000 units, and none is looked at more than a few times.
    expect(seen.reduce((units, text) => units + text.length, 0)).toBeLessThan(200_000);
  });

  it('has one door', () => {
    const files = ['src', 'rooms', 'entities'].flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => join(folder, name)),
    );
    const calls = files.filter((file) => readFileSync(join(ROOT, file), 'utf8').includes('.normalize('));
    expect(calls).toEqual(['src/normalized.ts']);
  });
});
