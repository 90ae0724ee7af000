import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { contentSecurityPolicy, fileAnswer, loadStaticFiles } from '../../../src/http/staticFiles.ts';

const folder = mkdtempSync(join(tmpdir(), 'duet-static-'));
mkdirSync(join(folder, 'assets'));
const script = `console.log('${'x'.repeat(4_000)}');`;
writeFileSync(join(folder, 'index.html'), '<!doctype html>');
writeFileSync(join(folder, 'favicon.svg'), '<svg/>');
writeFileSync(join(folder, 'assets', 'index-Ab3dEf9_.js'), script);
writeFileSync(join(folder, 'assets', 'logo.png'), 'png');
afterAll(() => rmSync(folder, { recursive: true }));

const files = loadStaticFiles(folder, { imageOrigins: ['https://photos.example'], pages: ['/verify'] });
const file = (path: string) => files.find((one) => one.path === path)!;
const header = (path: string, name: string) =>
  new RegExp(`\\r\\n${name}: ([^\\r]*)`).exec(file(path).headers)?.[1];

describe('loadStaticFiles', () => {
  test('makes a path of every file, and of the index the start page', () => {
    expect(files.map(({ path }) => path).sort()).toEqual([
      '/',
      '/assets/index-Ab3dEf9_.js',
      '/assets/logo.png',
      '/favicon.svg',
      '/verify',
    ]);
    expect(file('/verify').bytes.toString()).toBe('<!doctype html>');
  });

  test('only what the bundler named by its content may be kept for ever', () => {
    expect(header('/assets/index-Ab3dEf9_.js', 'cache-control')).toContain('immutable');
    expect(header('/assets/logo.png', 'cache-control')).toBe('no-cache');
    expect(header('/', 'cache-control')).toBe('no-cache');
  });

  test('pages may load their own things and the photos only', () => {
    const policy = header('/', 'content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("img-src 'self' data: blob: https://photos.example");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe-eval');
    expect(contentSecurityPolicy([])).not.toContain('https:');
    expect(header('/favicon.svg', 'content-security-policy')).toBeUndefined();
  });

  test('a folder that is not there is said at the start', () => {
    expect(() => loadStaticFiles(join(folder, 'nothing'))).toThrow(/ENOENT/);
  });
});

describe('fileAnswer', () => {
  const path = '/assets/index-Ab3dEf9_.js';

  test('compresses for who takes it', () => {
    const [status, headers, body] = fileAnswer(file(path), '', 'br, gzip;q=0.8');
    expect(status).toBe(200);
    expect(headers).toContain('\r\ncontent-encoding: gzip');
    expect(headers).toContain('\r\nvary: accept-encoding');
    expect(gunzipSync(body!).toString()).toBe(script);
    expect(fileAnswer(file(path), '', '')[2]?.toString()).toBe(script);
    for (const taken of ['gzip', 'gzip;q=1', 'gzip ; q=0.001, br', 'deflate,GZIP', 'br;q=0, gzip'])
      expect([taken, fileAnswer(file(path), '', taken)[1].includes('gzip')]).toEqual([taken, true]);
    for (const other of ['xgzip', 'gzip;q=0', 'br, gzip; q=0.000, deflate', 'gzip-x'])
      expect([other, fileAnswer(file(path), '', other)[2]?.toString()]).toEqual([other, script]);
    expect(fileAnswer(file('/'), '', 'gzip')[2]?.toString()).toBe('<!doctype html>');
  });

  test('sends nothing again to who has it', () => {
    const { etag } = file(path);
    expect(fileAnswer(file(path), etag, 'gzip')).toEqual([304, file(path).headers, undefined]);
    expect(fileAnswer(file(path), `"other", ${etag}`, '')[0]).toBe(304);
    // Compared weakly: a cache may have made a strong tag of it. Any that there is counts as well.
    for (const known of [etag.replace('W/', ''), '*'])
      expect([known, fileAnswer(file(path), known, '')[0]]).toEqual([known, 304]);
    expect(fileAnswer(file(path), '"other"', '')[0]).toBe(200);
  });
});
