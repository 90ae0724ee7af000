/** Whom PostgreSQL runs as: it refuses to run as root. */
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

export interface UnixUser {
  uid: number;
  gid: number;
}

interface Capability {
  name: string;
  /** Its number in linux/capability.h. */
  bit: number;
}

/** The lesser right first; containers often have only the greater one. */
const PASS_ANY_FOLDER: readonly Capability[] = [
  { name: 'dac_read_search', bit: 2 },
  { name: 'dac_override', bit: 1 },
];

const CANDIDATES = ['postgres', 'nobody'];

/**
 * The user that a server on `dataDir` must run as; null for the one that this process has.
 *
 * As root: the owner of the data where there are some, else `postgres`, else `nobody` (no user is added to the machine).
 */
export function postgresUser(dataDir: string): UnixUser | null {
  if (process.getuid?.() !== 0) return null;
  const existing = statSync(dataDir, { throwIfNoEntry: false });
  if (existing && existing.uid !== 0) return existing;
  for (const name of CANDIDATES) {
    const user = lookUp(name);
    if (user) return user;
  }
  throw new Error(`PostgreSQL does not run as root, and there is no user ${CANDIDATES.join(' or ')} here`);
}

/**
 * How to start a command as `user` (null: as oneself): what to put before it, and options for `spawn`.
 *
 * A checkout in /root, or a folder of mkdtemp, lets only root pass, and PostgreSQL needs to reach its own program and its
 * data inside. Only then, and only on Linux, the command keeps root's right to pass any folder. With `no_setuid_fixup`
 * access(2) goes by that right too, by which PostgreSQL looks for its other programs; else it asks without it.
 *
 * @param paths what the command must reach
 */
export function startingAs(
  user: UnixUser | null,
  paths: readonly string[],
): { prefix: string[]; options: { uid?: number; gid?: number } } {
  if (!user) return { prefix: [], options: {} };
  const blocked = paths.find((path) => !canReach(user, dirname(path)));
  if (blocked === undefined) return { prefix: [], options: { uid: user.uid, gid: user.gid } };

  const capability = process.platform === 'linux' ? ownCapability() : undefined;
  if (!capability) {
    throw new Error(
      `PostgreSQL does not run as root, and user ${user.uid} may not pass to ${blocked}: ` +
        'move Duet to another folder, run it as another user, or set DB_URL',
    );
  }
  const only = `-all,+${capability.name}`;
  const ids = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'];
  const rights = ['--securebits=+no_setuid_fixup', `--inh-caps=${only}`, `--ambient-caps=${only}`];
  return { prefix: ['setpriv', ...ids, ...rights], options: {} };
}

/** Whether a user may pass through a folder and all above it, by the permission bits. */
function canReach(user: UnixUser, folder: string): boolean {
  const { mode, uid, gid } = statSync(folder);
  const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0;
  if (((mode >> shift) & 1) === 0) return false;
  const parent = dirname(folder);
  return parent === folder || canReach(user, parent);
}

function ownCapability(): Capability | undefined {
  const status = readFileSync('/proc/self/status', 'utf8');
  const permitted = BigInt(`0x${/^CapPrm:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  return PASS_ANY_FOLDER.find(({ bit }) => (permitted >> BigInt(bit)) & 1n);
}

function lookUp(name: string): UnixUser | null {
  try {
    const id = (flag: string) =>
      Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: 'pipe' }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return null;
  }
}
