import { expect, it } from 'vitest';
import { httpUrl } from '../../../src/config.ts';

it('is an address that can be opened, whatever address is listened on', () => {
  expect(httpUrl('127.0.0.1', 3000)).toBe('http://127.0.0.1:3000');
  expect(httpUrl('localhost', 3000)).toBe('http://localhost:3000');
  for (const host of ['::1', '::', 'fd00::2']) {
    const url = httpUrl(host, 3000);
    expect(URL.parse(url)?.origin).toBe(url);
  }
});
