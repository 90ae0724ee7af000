import { linkSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/**
 * Writes a file of its owner's alone, which gets its place when it is on the disk: a full disk or a kill leaves what was
 * there, or nothing.
 *
 * @param over whether it takes the place of another
 * @returns false where there is one and it is not to be replaced: another process was first
 */
export function writeWhole(path: string, text: string, over: boolean): boolean {
  const written = `${path}.${process.pid}`;
  try {
    writeFileSync(written, text, { mode: 0o600, flush: true });
    if (over) renameSync(written, path);
    else linkSync(written, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(written, { force: true });
  }
}
