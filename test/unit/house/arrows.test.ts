/**
 * The arrows of the house: imports point down only. The order of the floors and the private doors are written here
 * and nowhere else; the drawing is in the README.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../../..');

/** From the roof down. A file may import from its own floor and from those below. */
const FLOORS: readonly (readonly string[])[] = [
  ['src/main.ts', 'src/verifyAudit.ts', 'src/resealData.ts'],
  ['src/app.ts', 'src/app'],
  ['src/server.ts'],
  ['src/http', 'rooms'],
  ['src/actors'],
  ['src/seed'],
  ['src/calling', 'src/safety', 'src/accounts', 'src/matching', 'src/people'],
  ['src/media', 'src/events', 'src/db', 'src/platform', 'src/transport'],
  ['entities'],
  [
    'src/errors.ts',
    'src/failure.ts',
    'src/clock.ts',
    'src/days.ts',
    'src/ids.ts',
    'src/normalized.ts',
    'src/log.ts',
    'src/announced.ts',
    'src/config.ts',
    'src/unsafeSettings.ts',
    'src/shapes.ts',
  ],
];

const files = ['src', 'rooms', 'entities'].flatMap((folder) => sources(join(ROOT, folder)));

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)));
}

function floorOf(file: string): number {
  return FLOORS.findIndex((floor) => floor.some((place) => file === place || file.startsWith(`${place}/`)));
}

/** What a file imports: files of the house as paths from the root, packages by name. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const specifiers = [
    ...text.matchAll(/^(?:import|export)\b[^'"]*?from\s*['"]([^'"]+)['"]|\bimport\(['"]([^'"]+)['"]\)/gm),
  ];
  return specifiers.map(([, from, dynamic]) => {
    const specifier = (from ?? dynamic)!;
    return specifier.startsWith('.')
      ? relative(ROOT, resolve(dirname(join(ROOT, file)), specifier))
      : specifier;
  });
}

describe('the house', () => {
  test('every file lives on a floor', () => {
    expect(files.filter((file) => floorOf(file) === -1)).toEqual([]);
  });

  test('imports point down only', () => {
    const upward = files.flatMap((file) =>
      importsOf(file)
        .filter((target) => target.endsWith('.ts') && floorOf(target) < floorOf(file))
        .map((target) => `${file} → ${target}`),
    );
    expect(upward).toEqual([]);
  });

  test('the two doors do not know each other', () => {
    const crossing = files.flatMap((file) =>
      importsOf(file)
        .filter(
          (target) =>
            (file.startsWith('src/http/') && target.startsWith('rooms/')) ||
            (file.startsWith('rooms/') && target.startsWith('src/http/')),
        )
        .map((target) => `${file} → ${target}`),
    );
    expect(crossing).toEqual([]);
  });

  test('only src/actors and src/transport name matchMaker', () => {
    const naming = files.filter((file) => /\bmatchMaker\b/.test(code(file)));
    expect(naming.filter((file) => !/^src\/(actors|transport|server\.ts)/.test(file))).toEqual([]);
  });

  test.each([
    ['the environment', /process\.env\b/, ['src/config.ts', 'src/media/spawnWorker.ts']],
    ['the time', /\bDate\.now\(|\bperformance\.now\(|\bnew Date\(\)/, ['src/clock.ts']],
    [
      'signals and the exit',
      /process\.(exit\(|on\(['"]SIG|kill\()/,
      ['src/main.ts', 'src/media/WorkerProcess.ts', 'src/platform/EmbeddedPostgres.ts'],
    ],
  ])('%s has one reader', (_, pattern, owners) => {
    expect(files.filter((file) => pattern.test(code(file)) && !owners.includes(file))).toEqual([]);
  });
});

/** A file without its comments. */
function code(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm, '');
}
