// How many tests ran, over several runs of jest.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Does work that runs jest, and closes with the line `N passed, N failed`: the tests of all its
 * runs. Without it when the work failed though no test did, since then not every test ran.
 *
 * @param work gets a function that makes the arguments which a run of jest needs to be counted, and
 *   resolves to the exit code.
 * @returns the exit code
 */
export async function withTestCount(work) {
  const folder = mkdtempSync(join(tmpdir(), 'longhaul-test-count-'));
  try {
    const exitCode = await work((run) => ['--json', `--outputFile=${join(folder, `${run}.json`)}`]);
    const { passed, failed } = sumOf(folder);
    if (exitCode === 0 || failed > 0) {
      process.stdout.write(`${passed} passed, ${failed} failed\n`);
    }
    return exitCode;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function sumOf(folder) {
  const runs = readdirSync(folder).map((name) =>
    JSON.parse(readFileSync(join(folder, name), 'utf8')),
  );
  const sum = (countOf) => runs.reduce((total, run) => total + countOf(run), 0);
  return {
    passed: sum((run) => run.numPassedTests),
    // A file that cannot be loaded has no tests, and is a failure all the same.
    failed: sum((run) => run.numFailedTests + run.numRuntimeErrorTestSuites),
  };
}
