import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newSecret } from '../ids.ts';

export interface LocalSecrets {
  jwt: string;
  dataKey: string;
}

/**
 * The secrets of an installation that was given none: made once, kept in the data folder, readable by its owner
 * only. For development; the configuration refuses to do without real ones in production.
 */
export function localSecrets(dataDir: string): LocalSecrets {
  const path = join(dataDir, 'secrets.json');
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as LocalSecrets;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const secrets: LocalSecrets = { jwt: newSecret(48), dataKey: newSecret(48) };
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(path, JSON.stringify(secrets), { mode: 0o600, flag: 'wx' });
  return secrets;
}
