import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { command, SetupError } from './command.mjs';

const APT_GET = '/usr/bin/apt-get';

/**
 * Installs Debian packages that are missing, where this may be done without asking: as root, or with a sudo that
 * needs no password. Elsewhere it throws a SetupError that says what to type.
 *
 * @param {string[]} names
 * @param {string} reason what they are for, the end of a sentence
 */
export async function requireSystemPackages(names, reason) {
  if (!existsSync(APT_GET)) {
    throw new SetupError(`Install what Debian calls ${names.join(' ')} and start again: ${reason}.`);
  }
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;

  const list = missing.join(' ');
  const prefix = rootPrefix();
  if (!prefix) throw new SetupError(`Run "sudo apt-get install ${list}" and start again: ${reason}.`);

  const [file, ...args] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', APT_GET, '-o', 'DPkg::Lock::Timeout=120'];
  const log = 'system-packages';
  const failure = `Run "apt-get install ${list}" as root, see what it says, and start again: ${reason}.`;
  // One broken source among many is no reason to stop: the installation tells whether the packages are there.
  await command(file, [...args, 'update'], { log, failure }).catch(() => {});
  await command(file, [...args, 'install', '-y', '--no-install-recommends', ...missing], { log, failure, append: true });
}

function isInstalled(name) {
  const { stdout } = spawnSync('dpkg-query', ['-W', '-f=${db:Status-Status}', name], { encoding: 'utf8' });
  return stdout === 'installed';
}

/** What to put before a command to run it as root; undefined where that needs a person. */
function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  return spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0 ? ['sudo', '-n'] : undefined;
}
