import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newSecret } from '../ids.ts';
import { newVapidKeys, type VapidKeys } from './WebPush.ts';

export interface LocalSecrets {
  jwt: string;
  dataKey: string;
  /** Keys of web push (RFC 8292). */
  vapid: VapidKeys;
}

/**
 * The secrets of an installation that was given none: made once, kept in the data folder, readable by its owner
 * only. For development; the configuration refuses to do without real ones in production.
 */
export function localSecrets(dataDir: string): LocalSecrets {
  const path = join(dataDir, 'secrets.json');
  const kept = readKept(path);
  if (kept.jwt && kept.dataKey && kept.vapid) return kept as LocalSecrets;
  const secrets = { jwt: newSecret(48), dataKey: newSecret(48), vapid: newVapidKeys(), ...kept };
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(path, JSON.stringify(secrets), { mode: 0o600 });
  return secrets;
}

function readKept(path: string): Partial<LocalSecrets> {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Partial<LocalSecrets>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}
