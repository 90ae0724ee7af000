import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { command, SetupError } from './command.mjs';
import { machinePath, NODE_MODULES } from './paths.mjs';
import { hasApt, isDebian, requireSystemPackages } from './systemPackages.mjs';

/** Programs that the tests start, with the packages that have them. */
const PROGRAMS = [
  { program: 'redis-server', apt: 'redis-server', brew: 'redis' },
  { program: 'turnserver', apt: 'coturn', brew: 'coturn' },
];

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const MAC_BROWSERS = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** Folders that are not in everybody's PATH. */
const MORE_FOLDERS = [
  '/usr/sbin',
  '/usr/local/sbin',
  '/usr/local/bin',
  '/opt/homebrew/bin',
  '/opt/homebrew/sbin',
];

/**
 * Finds or installs Redis, coturn and Chromium.
 *
 * @param {string} node to run playwright's installer with
 * @returns {Promise<{ DUET_CHROMIUM: string }>} for the environment of the tests
 */
export async function prepareTestTools(node, report) {
  const missing = PROGRAMS.filter(({ program }) => !find(program));
  const packages = missing.map(({ apt }) => apt);
  if (!findBrowser() && isDebian()) packages.push('chromium');
  if (packages.length > 0) {
    if (!hasApt())
      throw new SetupError(
        `Run "brew install ${missing.map(({ brew }) => brew).join(' ')}" or the like, and start again: the tests use them.`,
      );
    report(`installing ${packages.join(', ')}`);
    await requireSystemPackages(packages, 'the tests use them');
  }
  return { DUET_CHROMIUM: findBrowser() ?? (await downloadBrowser(node, report)) };
}

/** For macOS, and for Ubuntu, whose own Chromium is a snap that starts in no container. */
async function downloadBrowser(node, report) {
  report('downloading Chromium');
  const failure =
    'Install Chrome or Chromium, or set DUET_CHROMIUM to where it is, and start again: the tests use it.';
  const cli = join(NODE_MODULES, 'playwright-core', 'cli.js');
  await command(node, [cli, 'install', 'chromium'], { log: 'chromium', failure });
  const { stdout } = spawnSync(node, ['-p', 'require("playwright-core").chromium.executablePath()'], {
    cwd: NODE_MODULES,
    encoding: 'utf8',
  });
  const path = stdout.trim();
  if (!existsSync(path)) throw new SetupError(failure);
  return path;
}

function findBrowser() {
  const own = process.env.DUET_CHROMIUM;
  if (own && !existsSync(own))
    throw new SetupError(`DUET_CHROMIUM names ${own}, which is not there: correct it, or unset it.`);
  return own || BROWSERS.map(find).find(Boolean) || MAC_BROWSERS.find((path) => existsSync(path));
}

function find(program) {
  const folders = [...machinePath().split(delimiter), ...MORE_FOLDERS];
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}
