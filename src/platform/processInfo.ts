/** What the operating system says of a process. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

export interface ProcessInfo {
  parentPid: number;
  /** The command line, its arguments separated by spaces. */
  command: string;
}

/** Of a process of this machine; null if there is none of that number. */
export function processInfo(pid: number): ProcessInfo | null {
  try {
    return existsSync('/proc/self/stat') ? fromProc(pid) : fromPs(pid);
  } catch {
    return null;
  }
}

/** Linux. The name in parentheses may itself hold spaces and parentheses (proc(5)): the fields follow the last one. */
function fromProc(pid: number): ProcessInfo | null {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [state, parentPid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (state === 'Z' || state === 'X') return null;
  return {
    parentPid: Number(parentPid),
    command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim(),
  };
}

/** macOS and other Unixes. */
function fromPs(pid: number): ProcessInfo | null {
  const line = execFileSync('ps', ['-o', 'ppid=,command=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  const [, parentPid, command] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
  return parentPid === undefined || command === undefined ? null : { parentPid: Number(parentPid), command };
}
