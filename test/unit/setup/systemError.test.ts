import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CACHE, ROOT } from '../../../deploy/setup/paths.mjs';
import { adviceOn } from '../../../deploy/setup/systemError.mjs';

const error = (code: string, path?: string) =>
  Object.assign(new Error(code), { code, syscall: 'open', ...(path && { path }) });

test('a full disk: which, or which it may be', () => {
  expect(adviceOn(error('ENOSPC', '/data/x'))).toBe(
    'The disk of /data/x is full: make room and start again.',
  );
  expect(adviceOn(error('ENOSPC'))).toContain(`${ROOT} or ${CACHE}`);
});

test.each(['EACCES', 'EPERM', 'EROFS'])('%s: whose it is, and another folder only for the cache', (code) => {
  expect(adviceOn(error(code, '/data/x'))).toBe(
    '/data/x may not be written: see whose it is and start again.',
  );
  expect(adviceOn(error(code, join(CACHE, 'x')))).toContain('set DUET_CACHE');
});

test('a cache that can be no folder', () => {
  expect(adviceOn(error('ENOTDIR', CACHE))).toMatch(/cannot use .*set DUET_CACHE/);
});
