/** AUTH-39, FT-35: a server that was given bad secrets, or cannot have what it needs, says so and does not start. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { devNull, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../support/database.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const { PATH, NODE_COMPILE_CACHE, MEDIASOUP_WORKER_BIN } = process.env;

/**
 * Starts the program with nothing but this in its environment; resolves with its exit code, all that it said, and what of
 * that was for the person at the terminal.
 */
async function boot(environment: Record<string, string>) {
  const child = spawn(process.execPath, ['src/main.ts'], {
    cwd: ROOT,
    env: { PATH, NODE_COMPILE_CACHE, MEDIASOUP_WORKER_BIN, PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  let sentence = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
  child.stderr.on('data', (chunk) => (sentence += chunk));
  const [code] = await once(child, 'close');
  return { code: code as number | null, said, sentence: sentence.trim() };
}

const DATA_DIR = mkdtempSync(join(tmpdir(), 'duet-boot-'));
afterAll(() => rmSync(DATA_DIR, { recursive: true }));

const GOOD = 'a-good-secret-of-more-than-32-characters-0123456789';

describe('a start', () => {
  it.each([
    ['absent', undefined],
    ['empty', ''],
    ['the sample', 'your-secret-key'],
    ['short', 'x'.repeat(31)],
  ])('in production with a secret that is %s is refused (AUTH-39)', async (_, secret) => {
    const { code, said } = await boot({
      NODE_ENV: 'production',
      DATA_KEY: GOOD,
      ...(secret !== undefined && { JWT_SECRET: secret }),
    });
    expect(code).toBe(1);
    expect(said).toContain('JWT_SECRET: ');
    expect(said).not.toContain('DATA_KEY: ');
    // Everything else that is missing is in the same list (FT-35).
    for (const name of ['PUBLIC_URL', 'DB_URL', 'SMTP_URL', 'MEDIA_ANNOUNCED_ADDRESS'])
      expect(said).toContain(`${name}: `);
    expect(said).not.toContain('Duet is at');
  });

  it('in development with the sample as a secret is refused as well (AUTH-39)', async () => {
    const { code, said } = await boot({ JWT_SECRET: 'your-secret-key', PORT: 'x', ACCOUNT_GRACE_SEC: '-1' });
    expect(code).toBe(1);
    for (const name of ['JWT_SECRET', 'PORT', 'ACCOUNT_GRACE_SEC']) expect(said).toContain(`${name}: `);
  });

  it('without a folder of its own ends with a sentence', async () => {
    const { code, sentence } = await boot({ DATA_DIR: join(devNull, 'data') });
    expect(code).toBe(1);
    expect(sentence).toMatch(/^Duet could not start: ENOTDIR.*$/);
  });

  it('without its database ends with a sentence, which keeps where that is to itself', async () => {
    const { code, said, sentence } = await boot({ DATA_DIR, DB_URL: 'postgres://a:secret@127.0.0.1:1/duet' });
    expect(code).toBe(1);
    expect(sentence).toMatch(/^Duet could not start: \w+ ECONNREFUSED .*DB_URL.*$/);
    expect(said).not.toContain('secret@');
  });

  it('on a port that is taken says which variable to set', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const PORT = String((taken.address() as AddressInfo).port);
    const { url, drop } = await createTestDatabase();
    const { code, sentence } = await boot({ DATA_DIR, DB_URL: url, PORT, SEED_DEMO: 'false' });
    expect(code).toBe(1);
    expect(sentence).toMatch(
      new RegExp(`^Duet could not start: Cannot listen on 127.0.0.1:${PORT}: .* Set PORT`),
    );
    taken.close();
    await drop();
  });
});
