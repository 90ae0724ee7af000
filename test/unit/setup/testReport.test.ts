import { expect, test } from 'vitest';
import { countTests, triedAgain } from '../../../deploy/setup/testReport.mjs';

const file = (status: string, ...tests: string[]) => ({
  status,
  assertionResults: tests.map((one) => ({ status: one })),
});
const report = (
  numPassedTests: number,
  numFailedTests: number,
  ...testResults: ReturnType<typeof file>[]
) => ({
  numPassedTests,
  numFailedTests,
  testResults,
});

test('counts tests', () => {
  expect(countTests(report(2, 0, file('passed', 'passed', 'passed')), 0)).toEqual({ passed: 2, failed: 0 });
  expect(countTests(report(1, 1, file('failed', 'passed', 'failed')), 1)).toEqual({ passed: 1, failed: 1 });
});

test('a file that could not be loaded is a failure', () => {
  const broken = report(1, 0, file('passed', 'passed'), file('failed'));
  expect(countTests(broken, 1)).toEqual({ passed: 1, failed: 1 });
});

test('so is a run that failed though no test did', () => {
  expect(countTests(report(1, 0, file('passed', 'passed')), 1)).toEqual({ passed: 1, failed: 1 });
});

test('no test at all counts as none', () => {
  expect(countTests(report(0, 0), 0)).toEqual({ passed: 0, failed: 0 });
});

test('what passed only when it was tried again is named', () => {
  const results = [
    { status: 'passed', fullName: 'holds', failureMessages: [] },
    {
      status: 'passed',
      fullName: 'holds mostly',
      failureMessages: ['Error: late\n  at here', 'Error: late'],
    },
    { status: 'failed', fullName: 'does not', failureMessages: ['Error: no'] },
  ];
  expect(triedAgain({ testResults: [{ name: 'a.test.ts', assertionResults: results }] })).toEqual([
    { file: 'a.test.ts', test: 'holds mostly', failure: 'Error: late' },
  ]);
});
