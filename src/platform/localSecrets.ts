import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { newSecret } from '../ids.ts';
import { newVapidKeys, type VapidKeys } from './WebPush.ts';
import { writeWhole } from './wholeFile.ts';

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
  if (isWhole(kept)) return kept;
  const secrets = { jwt: newSecret(48), dataKey: newSecret(48), vapid: newVapidKeys(), ...kept };
  mkdirSync(dataDir, { recursive: true });
  const isOurs = writeWhole(path, JSON.stringify(secrets), kept !== undefined);
  // Another process started at the same moment and was first: its secrets are everybody's.
  return isOurs ? secrets : localSecrets(dataDir);
}

function isWhole(kept: Partial<LocalSecrets> | undefined): kept is LocalSecrets {
  return Boolean(kept?.jwt && kept.dataKey && kept.vapid);
}

function readKept(path: string): Partial<LocalSecrets> | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Partial<LocalSecrets>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
