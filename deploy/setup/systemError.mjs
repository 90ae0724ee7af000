import { CACHE, ROOT } from './paths.mjs';

const NO_ROOM = ['ENOSPC', 'EDQUOT'];
const NOT_ALLOWED = ['EACCES', 'EPERM', 'EROFS'];

/**
 * What to do about a file or a folder that the system refuses, in a sentence.
 *
 * @param {NodeJS.ErrnoException} error A full disk may be told without a path, where a file was open already.
 */
export function adviceOn({ code, path }) {
  const where = path ?? `${ROOT} or ${CACHE}`;
  if (NO_ROOM.includes(code)) return `The disk of ${where} is full: make room and start again.`;
  const choose = path?.startsWith(CACHE) ? ', or set DUET_CACHE to another folder' : '';
  if (NOT_ALLOWED.includes(code))
    return `${where} may not be written: see whose it is and start again${choose}.`;
  return `The set-up cannot use ${where}: see what is there and start again${choose}.`;
}
