import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { command, SetupError } from './command.mjs';
import { CACHE, machinePath, NODE_MODULES } from './paths.mjs';
import { hasApt, isDebian, requireSystemPackages } from './systemPackages.mjs';

/** Programs that the tests start, with the packages that have them. */
const REDIS = { program: 'redis-server', apt: 'redis-server', brew: 'redis' };
const COTURN = { program: 'turnserver', apt: 'coturn', brew: 'coturn', variable: 'TURNSERVER_BIN' };

/** Chromium without a window to draw: the same pages, WebRTC and JavaScript for two thirds of the processor's time. */
const HEADLESS_SHELL = 'chromium-headless-shell';
const BROWSERS = [HEADLESS_SHELL, 'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const MAC_BROWSERS = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

const MAC_FIREFOX = '/Applications/Firefox.app/Contents/MacOS/firefox';
/** Where it is, `firefox` only starts it, and it cannot read the profile of a test. */
const SNAP_FIREFOX = '/snap/bin/firefox';

/** Folders that are not in everybody's PATH. */
const MORE_FOLDERS = [
  '/usr/sbin',
  '/usr/local/sbin',
  '/usr/local/bin',
  '/opt/homebrew/bin',
  '/opt/homebrew/sbin',
];

/**
 * Finds or installs Redis, coturn, Chromium and Firefox.
 *
 * @param {string} node to run playwright's installer with
 * @param {string} path the PATH that the tests would have
 * @returns {Promise<{ PATH: string, TURNSERVER_BIN: string, DUET_CHROMIUM: string, DUET_FIREFOX: string }>} for the
 *   environment of the tests
 */
export async function prepareTestTools(node, path, report) {
  const missing = [REDIS, COTURN].filter((program) => !findProgram(program));
  const packages = missing.map(({ apt }) => apt);
  if (!findBrowser() && isDebian()) packages.push(HEADLESS_SHELL);
  if (!findFirefox() && isDebian()) packages.push('firefox-esr');
  if (packages.length > 0) {
    if (!hasApt())
      throw new SetupError(
        `Run "brew install ${missing.map(({ brew }) => brew).join(' ')}" or the like, and start again: the tests use them.`,
      );
    report(`installing ${packages.join(', ')}`);
    await requireSystemPackages(packages, 'the tests use them');
  }
  if (isDebian() && !find(HEADLESS_SHELL) && !ownChoice('DUET_CHROMIUM')) {
    report(`installing ${HEADLESS_SHELL}`);
    // A Chromium is there, which does as well.
    await requireSystemPackages([HEADLESS_SHELL], 'the tests are quicker with it').catch(() => undefined);
  }
  return {
    PATH: `${path}${delimiter}${dirname(findProgram(REDIS))}`,
    TURNSERVER_BIN: findProgram(COTURN),
    DUET_CHROMIUM: findBrowser() ?? (await downloadBrowser(node, report)),
    DUET_FIREFOX: findFirefox() ?? (await downloadFirefox(node, report)),
  };
}

/** For macOS, and for Ubuntu, whose own Chromium is a snap that starts in no container. */
async function downloadBrowser(node, report) {
  report('downloading Chromium');
  const failure =
    'Install Chrome or Chromium, or set DUET_CHROMIUM to where it is, and start again: the tests use it.';
  const cli = join(NODE_MODULES, 'playwright-core', 'cli.js');
  await command(node, [cli, 'install', 'chromium'], { log: 'chromium', failure });
  const path = printedBy(node, 'console.log(require("playwright-core").chromium.executablePath())');
  if (!existsSync(path)) throw new SetupError(failure);
  return path;
}

/** As for Chromium; kept in the cache. */
async function downloadFirefox(node, report) {
  const list = `require("@puppeteer/browsers").getInstalledBrowsers({ cacheDir: ${JSON.stringify(CACHE)} })`;
  const installed = () => printedBy(node, `${list}.then(([one]) => console.log(one?.executablePath ?? ''))`);
  if (existsSync(installed())) return installed();
  report('downloading Firefox');
  const failure = 'Install Firefox, or set DUET_FIREFOX to where it is, and start again: the tests use it.';
  const cli = join(NODE_MODULES, '@puppeteer', 'browsers', 'lib', 'main-cli.js');
  await command(node, [cli, 'install', 'firefox@esr', '--path', CACHE], { log: 'firefox', failure });
  if (!existsSync(installed())) throw new SetupError(failure);
  return installed();
}

/** What a script prints that needs packages. */
function printedBy(node, script) {
  return spawnSync(node, ['-e', script], { cwd: NODE_MODULES, encoding: 'utf8' }).stdout.trim();
}

function findProgram({ program, variable }) {
  return (variable && ownChoice(variable)) || find(program);
}

function findBrowser() {
  return (
    ownChoice('DUET_CHROMIUM') ||
    BROWSERS.map(find).find(Boolean) ||
    MAC_BROWSERS.find((path) => existsSync(path))
  );
}

function findFirefox() {
  const own = ownChoice('DUET_FIREFOX') || find('firefox-esr');
  if (own) return own;
  if (existsSync(MAC_FIREFOX)) return MAC_FIREFOX;
  return existsSync(SNAP_FIREFOX) ? undefined : find('firefox');
}

function ownChoice(name) {
  const own = process.env[name];
  if (own && !existsSync(own))
    throw new SetupError(`${name} names ${own}, which is not there: correct it, or unset it.`);
  return own;
}

function find(program) {
  const folders = [...machinePath().split(delimiter), ...MORE_FOLDERS];
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}
