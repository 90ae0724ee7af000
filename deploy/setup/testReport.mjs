/**
 * How many tests passed and failed, from the report of vitest's JSON reporter. A file that could not even be loaded
 * counts as a failed test, and so does a run that failed as a whole.
 *
 * @typedef {{ status: string, fullName: string, failureMessages: string[] }} TestResult
 * @param {{ numPassedTests: number, numFailedTests: number,
 *   testResults: { status: string, assertionResults: Pick<TestResult, 'status'>[] }[] }} report
 * @param {number} exitCode of vitest
 * @returns {{ passed: number, failed: number }}
 */
export function countTests(report, exitCode) {
  const broken = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  );
  const failed = report.numFailedTests + broken.length;
  return { passed: report.numPassedTests, failed: failed === 0 && exitCode !== 0 ? 1 : failed };
}

/**
 * The tests that passed only when they were tried again: of a flaw that shows now and then this is all that is seen.
 *
 * @param {{ testResults: { name: string, assertionResults: TestResult[] }[] }} report
 * @returns {{ file: string, test: string, failure: string }[]} `failure`: the first line of the first one
 */
export function triedAgain(report) {
  return report.testResults.flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ status, failureMessages }) => status === 'passed' && failureMessages.length > 0)
      .map(({ fullName, failureMessages }) => ({
        file: name,
        test: fullName,
        failure: failureMessages[0].split('\n')[0],
      })),
  );
}
