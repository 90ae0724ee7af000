// Loaded into a program by foreground.mjs: descriptor 3 is a pipe from it, which breaks when it is killed. The program
// then gets what Ctrl-C would have given it.
import { Socket } from 'node:net';
import { isMainThread } from 'node:worker_threads';

const PIPE = 3;

// A thread of the program loads this as well, and would close the pipe with itself.
if (isMainThread) {
  const parent = new Socket({ fd: PIPE });
  parent.once('close', () => process.kill(process.pid, 'SIGINT'));
  parent.on('error', () => {});
  parent.resume();
  parent.unref();
}
