// npm run dev: runs the server, which its arguments name, and again whenever the program or the built page has changed.
// (node --watch knows of files that are imported, not of the page, and outlives whoever started it.)
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endOf, startProgram } from './foreground.mjs';
import { ROOT } from './paths.mjs';
import { onSignal } from './signals.mjs';
import { hashOf, stampOf } from './stamp.mjs';

const LOOK_EVERY_MS = 500;

const PROGRAM = ['src', 'rooms', 'entities', '.env', 'package-lock.json'].map((name) => join(ROOT, name));
/** Names the page's other files by what is in them. */
const PAGE = join(ROOT, 'web', 'dist', 'index.html');

let seen = '';
let server;
let isAsked = false;

onSignal((signal) => {
  isAsked = true;
  server.kill(signal);
});

for (let running = look(); ; ) {
  server = startProgram(process.execPath, process.argv.slice(2), { env: process.env, endWithParent: true });
  const end = endOf(server);
  running = await changed(running);
  if (isAsked) process.exit(await end);
  console.log('\n  Something changed: starting again\n');
  server.kill('SIGTERM');
  await end;
}

/** Resolves with how things are when they are no longer as before, and all is written; or when a signal comes. */
async function changed(before) {
  for (let last = before; ; ) {
    await sleep(LOOK_EVERY_MS);
    const now = look();
    if (isAsked || (now !== before && now === last)) return now;
    last = now;
  }
}

function look() {
  try {
    seen = `${stampOf(PROGRAM)} ${hashOf(PAGE)}`;
  } catch {
    // Just then something is written or built.
  }
  return seen;
}
