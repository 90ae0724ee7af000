import { describe, expect, test } from 'vitest';
import { headerText, joinHeaders, NO_HEADERS } from '../../../src/http/headers.ts';

describe('headerText', () => {
  test('writes each header on a line of its own', () => {
    const text = headerText([
      ['a', '1'],
      ['b-c', 'x; y="z"'],
    ]);
    expect(text).toBe('\r\na: 1\r\nb-c: x; y="z"');
    expect(joinHeaders(NO_HEADERS, text)).toBe(text);
  });

  test.each([
    ['a', 'x\r\nset-cookie: evil=1'],
    ['a', 'x\ny'],
    ['a', 'x\r'],
    ['a', 'x\0y'],
    ['a', 'é'],
    ['a', '\u2028'],
    ['a\r\nb', 'x'],
    ['a:', 'x'],
    ['A', 'x'],
    ['', 'x'],
  ])('refuses %j: %j', (name, value) => {
    expect(() => headerText([[name, value]])).toThrow('Not a header');
  });
});
