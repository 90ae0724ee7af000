import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { documentationRoutes } from '../../../src/http/openapi.ts';
import { loadStaticFiles } from '../../../src/http/staticFiles.ts';
import { rawHttp, requestText } from '../../support/rawHttp.ts';
import { openTestDoor, type TestDoor } from '../../support/testDoor.ts';
import { fakeRoutes } from './fakeRoutes.ts';

const folder = mkdtempSync(join(tmpdir(), 'duet-files-'));
const large = `/* ${'x'.repeat(3_000_000)} */`;
let door: TestDoor;

beforeAll(async () => {
  const web = join(folder, 'web');
  mkdirSync(join(web, 'assets'), { recursive: true });
  writeFileSync(join(web, 'index.html'), '<!doctype html><title>Duet</title>');
  writeFileSync(join(web, 'assets', 'index-0a1b2c3d.js'), large);
  writeFileSync(join(folder, 'secret.txt'), 'secret');
  door = await openTestDoor({
    routes: [...fakeRoutes, ...documentationRoutes(fakeRoutes, '0.0.0')],
    files: loadStaticFiles(web),
  });
});
afterAll(async () => {
  await door[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

describe('the built page', () => {
  test('is at the root, with a policy', async () => {
    const answer = await rawHttp(door.port, requestText('GET', '/'));
    expect(answer.body).toContain('<title>Duet</title>');
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(answer.headers['content-security-policy']).toContain("script-src 'self'");
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
  });

  test('large files arrive whole, plain and compressed, and not at all where they are known', async () => {
    const url = `${door.url}/assets/index-0a1b2c3d.js`;
    const response = await fetch(url);
    expect(response.headers.get('content-encoding')).toBe('gzip');
    expect(await response.text()).toBe(large);
    const plain = await fetch(url, { headers: { 'accept-encoding': 'identity' } });
    expect(await plain.text()).toBe(large);
    const again = await fetch(url, { headers: { 'if-none-match': response.headers.get('etag')! } });
    expect(again.status).toBe(304);
    expect(await again.text()).toBe('');
    const head = await fetch(url, { method: 'HEAD', headers: { 'accept-encoding': 'identity' } });
    expect(head.headers.get('content-length')).toBe(String(large.length));
  });

  test.each([
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/..%2fsecret.txt',
    '/assets/%2e%2e/%2e%2e/secret.txt',
    '/index.html',
    '/assets',
    '/assets/',
  ])('there is nothing at %s', async (path) => {
    const answer = await rawHttp(door.port, requestText('GET', path));
    expect(answer.status).toBe(404);
    expect(answer.body).not.toContain('secret');
  });

  test('can only be read', async () => {
    const answer = await rawHttp(door.port, requestText('POST', '/'));
    expect(answer.status).toBe(405);
    expect(answer.headers.allow).toBe('GET, HEAD, OPTIONS');
  });
});

describe('the documentation', () => {
  test('is there for machines and for people', async () => {
    const document = (await (await fetch(`${door.url}/api/v1/openapi.json`)).json()) as {
      paths: Record<string, object>;
    };
    expect(Object.keys(document.paths)).toContain('/api/v1/people/{personId}/like');
    expect(Object.keys(document.paths)).toContain('/docs');
    const page = await fetch(`${door.url}/docs`);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await page.text()).toContain('/api/v1/people/{personId}/like');
  });
});
