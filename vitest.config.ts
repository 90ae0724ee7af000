import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

// Browsers, media and killed processes on a shared machine: a test that fails is tried again, and the report says so.
const RETRIES = 2;

/** Those that wait longest begin first: begun last, they would keep the run going while nothing else is left to do. */
const LONG_WAITS = [
  'media/impaired',
  'accounts/boot',
  'survival/restart',
  'survival/rolling',
  'survival/erasure',
];

class LongWaitsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const waitsLong = (file: TestSpecification) =>
      LONG_WAITS.some((name) => file.moduleId.endsWith(`/${name}.test.ts`));
    return [...sorted.filter(waitsLong), ...sorted.filter((file) => !waitsLong(file))];
  }
}

// `unit` and `simulation` need nothing, `integration` a PostgreSQL (started for the run), `e2e` a browser besides.
// Most of what `integration` does is wait: for timers, for processes to start; so more at once than a small machine has
// cores. Tests of media (`media`, `e2e`) keep most of a core busy each: a fourth beside them would save nothing.
// Files of `integration` that a worker runs share its modules, for loading the program anew took 1.6 s a file; those of
// `e2e` change the program's classes.
export default defineConfig({
  test: {
    globals: false,
    passWithNoTests: false,
    sequence: { sequencer: LongWaitsFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 15_000,
          pool: 'forks',
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'simulation',
          include: ['test/simulation/**/*.test.ts'],
          testTimeout: 300_000,
          pool: 'forks',
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          exclude: ['test/integration/media/**'],
          globalSetup: ['test/support/globalSetup.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          retry: RETRIES,
          pool: 'forks',
          isolate: false,
          maxWorkers: 6,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'media',
          include: ['test/integration/media/**/*.test.ts'],
          globalSetup: ['test/support/globalSetup.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          retry: RETRIES,
          pool: 'forks',
          maxWorkers: 3,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/support/globalSetup.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          retry: RETRIES,
          pool: 'forks',
          maxWorkers: 3,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
