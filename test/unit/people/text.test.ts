import { describe, expect, it } from 'vitest';
import { PreferencesEdit, ProfileEdit } from '../../../src/people/shapes.ts';
import { humanText } from '../../../src/people/text.ts';

const name = humanText({ min: 1, max: 50 });
const bio = humanText({ min: 0, max: 500, lines: true });
const family = '👨‍👩‍👧‍👦';

describe('text that people write', () => {
  it('is counted in graphemes', () => {
    const three = humanText({ min: 3, max: 3 });
    expect(three.safeParse(`${family}🏳️‍🌈é`).success).toBe(true);
    expect(name.safeParse(family.repeat(50)).success).toBe(true);
    expect(name.safeParse(family.repeat(51)).success).toBe(false);
    expect(name.safeParse('👩🏽‍❤️‍💋‍👨🏿'.repeat(50)).success).toBe(true);
  });

  it('is composed (NFC) and trimmed', () => {
    expect(name.parse('  Zoe\u0308  ')).toBe('Zo\u00eb');
    expect(name.safeParse('   ').success).toBe(false);
  });

  it('has no control characters, and nothing that turns the reading order', () => {
    for (const bad of [
      'a\u0000b',
      'a\u0007b',
      'a\u001bb',
      'a\u202eb',
      'a\u2066b',
      'a\u200fb',
      'a\ufeffb',
      'a\u0085b',
      'a\nb',
      'a\tb',
      'a\u2028b',
      'a\u2029b',
      'a\ue000b',
    ]) {
      expect(name.safeParse(bad).success, JSON.stringify(bad)).toBe(false);
    }
    expect(name.safeParse('علي').success).toBe(true);
    expect(name.safeParse('ज़ोया').success).toBe(true);
  });

  it('has something to see', () => {
    for (const empty of [
      '\u200b',
      '\u2060 \u200d',
      '\u00ad',
      '\u3164',
      '\u115f\u1160',
      '\u2800',
      '\ufe0f',
      '\u{e0041}',
    ]) {
      expect(name.safeParse(empty).success, JSON.stringify(empty)).toBe(false);
    }
    for (const seen of ['J\u200bo', 'ㅋ', '7', '🏳️‍🌈', '♥'])
      expect(name.safeParse(seen).success, seen).toBe(true);
    expect(bio.safeParse('').success).toBe(true);
  });

  it('keeps line breaks in a bio, as one kind, and never many', () => {
    expect(bio.parse('a\r\nb\n\n\n\nc\rd')).toBe('a\nb\n\nc\nd');
    expect(bio.parse(`a\u2028b${'\u2029'.repeat(400)}c`)).toBe('a\nb\n\nc');
    expect(bio.safeParse('a\tb').success).toBe(false);
  });

  it('does not take letters under a tower of marks', () => {
    expect(name.safeParse(`Z${'\u0301'.repeat(10_000)}`).success).toBe(false);
    expect(name.safeParse(`Z${'\u0317'.repeat(8)}`).success).toBe(false);
    expect(name.safeParse('Nguyễn Văn').success).toBe(true);
  });

  it('does not take marks that something unseen stands between', () => {
    const towers = {
      joiners: `A${`${'\u0301'.repeat(5)}\u200d`.repeat(230)}`,
      'a few joiners': `A${'\u0301'.repeat(4)}\u200d${'\u0301'.repeat(3)}`,
      'zero-width spaces': `A${`${'\u0301'.repeat(5)}\u200b`.repeat(8)}`,
      fillers: `A${`${'\u0301'.repeat(5)}\u3164`.repeat(8)}`,
      'skin tones': `A${`${'\u0301'.repeat(5)}🏽`.repeat(3)}`,
      'halfwidth marks': `カ${`${'\u0301'.repeat(5)}\uff9e`.repeat(4)}`,
      selectors: `A${'\ufe00'.repeat(6)}`,
    };
    for (const [kind, tower] of Object.entries(towers)) {
      expect(name.safeParse(tower).success, kind).toBe(false);
      expect(bio.safeParse(`I am ${tower}!`).success, kind).toBe(false);
    }
  });

  it('takes no character that is longer than any that people type', () => {
    for (const long of [
      `A${'\u200d'.repeat(1_300)}`,
      `A${'\u200d'.repeat(28)}`,
      `Ann ${'👨\u200d'.repeat(10)}👨`,
      `Z${'🏽'.repeat(14)}`,
    ])
      expect(name.safeParse(long).success, JSON.stringify(long)).toBe(false);
    for (const good of ['र्त्स्न्यां', 'བསྒྲུབས', 'שָׁלוֹם', 'น้ำผึ้ง', '1️⃣', '👁️‍🗨️', '👨🏻‍👩🏽‍👧🏿‍👦🏽', 'می‌خواهم'])
      expect(name.safeParse(good).success, good).toBe(true);
  });

  it('has tags in flags only, where they are seen', () => {
    const england = '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}';
    expect(name.parse(`Ann ${england}`)).toBe(`Ann ${england}`);
    expect(name.safeParse(england.repeat(50)).success).toBe(true);
    for (const hidden of [
      `Ann${'\u{e0041}'.repeat(600)}`,
      'Ann\u{e0041}',
      'Ann\u{e0001}',
      'Ann\u{e007f}',
      '🏴\u{e0067}\u{e0062}',
      `${england}\u{e0067}`,
      `🏴${'\u{e0067}'.repeat(9)}\u{e007f}`,
    ])
      expect(name.safeParse(hidden).success, JSON.stringify(hidden)).toBe(false);
  });

  it('costs next to nothing when it is far too long', () => {
    const before = process.cpuUsage();
    expect(bio.safeParse('x'.repeat(5_000_000)).success).toBe(false);
    // Processor time, not a clock's; counting the graphemes of it would take seconds.
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeLessThan(500_000);
  });
});

describe('a profile', () => {
  it('takes coordinates of this planet only', () => {
    for (const location of [
      { lat: 91, lon: 0 },
      { lat: 0, lon: 181 },
      { lat: Number.NaN, lon: 0 },
      { lat: Number.POSITIVE_INFINITY, lon: 0 },
      { lat: '1', lon: 2 },
      { lat: 1 },
      { lat: 1, lon: 2, alt: 3 },
    ]) {
      expect(ProfileEdit.safeParse({ location }).success).toBe(false);
    }
    expect(ProfileEdit.safeParse({ location: { lat: -0, lon: 180 } }).success).toBe(true);
    expect(ProfileEdit.safeParse({ location: null }).success).toBe(true);
  });

  it('knows no other field: the birth date and the address cannot be changed here', () => {
    for (const extra of [
      { birthDate: '1990-01-01' },
      { email: 'a@b.c' },
      { role: 'admin' },
      { tier: 'premium' },
      { status: 'active' },
      { id: 'x' },
    ]) {
      expect(ProfileEdit.safeParse(extra).success).toBe(false);
      expect(PreferencesEdit.safeParse(extra).success).toBe(false);
    }
  });

  it('has at most 20 interests, none twice', () => {
    expect(ProfileEdit.safeParse({ interests: ['Jazz', 'jazz'] }).success).toBe(false);
    expect(ProfileEdit.safeParse({ interests: Array.from({ length: 21 }, (_, i) => `n${i}`) }).success).toBe(
      false,
    );
    expect(ProfileEdit.safeParse({ interests: [''] }).success).toBe(false);
  });

  it('has preferences within their bounds', () => {
    for (const bad of [
      { minAge: 17 },
      { maxAge: 100 },
      { minAge: 18.5 },
      { minAge: 2 ** 53 },
      { maxDistanceKm: 0 },
      { maxDistanceKm: -1 },
      { maxDistanceKm: 1e9 },
      { genders: [] },
      { genders: ['x'] },
      { genders: ['man', 'man'] },
      { minAge: { $ne: null } },
    ]) {
      expect(PreferencesEdit.safeParse(bad).success, JSON.stringify(bad)).toBe(false);
    }
  });
});
