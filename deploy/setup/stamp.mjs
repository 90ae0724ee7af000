import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * A text that changes when one of the files does: name, size and time of change of each. Folders are walked;
 * what is missing counts as missing. Reads no file, so that it costs next to nothing at every start.
 *
 * @param {string[]} paths files and folders
 * @param {(name: string) => boolean} [skip] names of files and folders to pass over
 */
export function stampOf(paths, skip = () => false) {
  const hash = createHash('sha256');
  const add = (path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat?.isDirectory()) {
      hash.update(`${path}\0${stat ? `${stat.size}\0${stat.mtimeMs}` : 'missing'}\n`);
      return;
    }
    hash.update(`${path}/\n`);
    for (const name of readdirSync(path).sort()) if (!skip(name)) add(join(path, name));
  };
  for (const path of paths) add(path);
  return hash.digest('hex');
}

/** A text that changes with the contents of a file. */
export function hashOf(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** Whether `writeStamp` left this very stamp in the file. */
export function hasStamp(file, stamp) {
  try {
    return readFileSync(file, 'utf8') === stamp;
  } catch {
    return false;
  }
}

export function writeStamp(file, stamp) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, stamp);
}
