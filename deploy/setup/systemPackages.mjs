import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { command, SetupError } from './command.mjs';
import { SETUP } from './paths.mjs';

/** Debian, Ubuntu and their like. */
export function hasApt() {
  return existsSync('/usr/bin/apt-get');
}

/** Debian itself. */
export function isDebian() {
  return hasApt() && /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'));
}

/**
 * Installs packages with apt-get where they are missing and this may be done without asking: as root, or with a sudo that
 * needs no password. Elsewhere it throws a SetupError with the command to type.
 *
 * @param {string[]} names
 * @param {string} reason what they are for, the end of a sentence
 */
export async function requireSystemPackages(names, reason) {
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  const byHand = `sudo apt-get install ${missing.join(' ')}`;
  const root = rootPrefix();
  if (!root) throw new SetupError(`Run "${byHand}" and start again: ${reason}.`);

  const [file, ...args] = [...root, 'sh', join(SETUP, 'apt-install.sh'), ...missing];
  await command(file, args, {
    log: 'system-packages',
    failure: `Run "${byHand}", see what it says, and start again: ${reason}.`,
  });
}

function isInstalled(name) {
  const { stdout } = spawnSync('dpkg', ['--status', name], { encoding: 'utf8' });
  return /^Status: .* installed$/m.test(stdout);
}

/** What to put before a command to run it as root; null where that needs a person. */
function rootPrefix() {
  if (process.getuid() === 0) return [];
  return spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0 ? ['sudo', '-n'] : null;
}
