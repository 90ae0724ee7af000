/** AUTH-39, FT-35: a server that was given bad secrets says so and does not start. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../../..');

/** Starts the program with nothing but this in its environment; resolves with its exit code and all that it said. */
async function boot(environment: Record<string, string>): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, ['src/main.ts'], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
  const [code] = await once(child, 'close');
  return { code, said };
}

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
});
