import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './command.mjs';
import { lowerGlibc } from './elf.mjs';
import { NODE_MODULES, ROOT } from './paths.mjs';
import { hasStamp, stampOf, writeStamp } from './stamp.mjs';

const FOLDER = join(NODE_MODULES, 'uWebSockets.js');
const STAMP = join(NODE_MODULES, '.duet-uws');

/** The glibc that the package's Linux binaries were linked against. */
const LINKED_WITH = [2, 38];

/**
 * Makes uWebSockets.js load. Its Linux binaries want glibc 2.38, which Debian 12 and Ubuntu 22.04 do not have, only
 * for three functions that every glibc has under another name: elf.mjs renames them in the copy in node_modules.
 *
 * @param {string} node the Node.js that Duet will run on
 */
export function prepareUws(node) {
  const binaries = readdirSync(FOLDER)
    .filter((name) => name.startsWith(`uws_${process.platform}_${process.arch}_`))
    .map((name) => join(FOLDER, name));
  const stamp = () => stampOf([node, ...binaries]);
  if (hasStamp(STAMP, stamp())) return;

  if (isOlder(glibcVersion(), LINKED_WITH)) for (const path of binaries) patch(path);
  const { status, stderr } = spawnSync(node, ['-e', 'require("uWebSockets.js")'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  if (status !== 0) {
    const reason = /Error: (.*)/.exec(stderr)?.[1] ?? stderr.trim();
    throw new SetupError(
      `uWebSockets.js does not load here (${reason}): use a Linux with glibc, or macOS, on x64 or arm64.`,
    );
  }
  writeStamp(STAMP, stamp());
}

/** Into a new file that takes the old one's place: a Duet that runs already keeps the old one. */
function patch(path) {
  const image = readFileSync(path);
  if (lowerGlibc(image).length === 0) return;
  const copy = `${path}.${process.pid}`;
  writeFileSync(copy, image, { mode: statSync(path).mode });
  renameSync(copy, path);
}

/** Of the machine, as two numbers; null on macOS and on a Linux without glibc. */
export function glibcVersion() {
  process.report.excludeNetwork = true;
  const version = process.report.getReport().header.glibcVersionRuntime;
  return version ? version.split('.').map(Number) : null;
}

function isOlder(version, than) {
  return version !== null && (version[0] < than[0] || (version[0] === than[0] && version[1] < than[1]));
}
