// `check` and `test`: what runs, how it is reported.
import { availableParallelism } from 'node:os';
import { SetupError } from './project.mjs';
import { capture, runInForeground } from './run.mjs';
import { withTestCount } from './test-count.mjs';

const inProcessKinds = ['tidy', 'unit'];
const serverKinds = ['conformance', 'replay', 'integration', 'contract', 'e2e'];
// Jest would take one process for two cores. Each file of server tests has up to 1 GB of servers.
const twoAtATime = '--maxWorkers=2';

// The slowest first, so that the quick ones fill the gaps.
const checks = [
  {
    name: 'lint',
    bin: 'eslint/bin/eslint.js',
    args: ['--cache', '--cache-location', '.cache/eslint/', '.'],
  },
  {
    name: 'unit tests',
    bin: 'jest/bin/jest.js',
    // Nothing but what failed, and why.
    args: ['--selectProjects', ...inProcessKinds, twoAtATime, '--reporters=summary'],
  },
  { name: 'types', bin: 'typescript/bin/tsc', args: ['-p', '.'] },
  { name: 'dead code', bin: 'knip/bin/knip.js', args: [] },
  {
    name: 'dependency rules',
    bin: 'dependency-cruiser/bin/dependency-cruise.mjs',
    args: [
      '--config',
      '.dependency-cruiser.cjs',
      'src',
      'workflows',
      'activities',
      'scripts',
      'test',
      'bench',
    ],
  },
  { name: 'format', bin: 'prettier/bin/prettier.cjs', args: ['--check', '.'] },
];

/**
 * @param unitTestArgs further arguments for jest
 * @returns the exit code: 0 when every check passed.
 */
export async function runChecks({ unitTestArgs = [] } = {}) {
  const waiting = checks.map((check) =>
    check.name === 'unit tests' ? { ...check, args: [...check.args, ...unitTestArgs] } : check,
  );
  const failed = [];
  const takeOne = async () => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      const { exitCode, output } = await runCheck(check);
      if (exitCode !== 0) {
        failed.push({ name: check.name, output });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, takeOne));
  for (const { name, output } of failed) {
    process.stdout.write(`\nFailed: ${name}\n${output.trim()}\n`);
  }
  return failed.length === 0 ? 0 : 1;
}

async function runCheck({ name, bin, args }) {
  const started = performance.now();
  const { exitCode, output } = await capture(process.execPath, [`node_modules/${bin}`, ...args]);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(
    `${exitCode === 0 ? 'ok    ' : 'FAILED'}  ${name.padEnd(18)} ${seconds.padStart(5)} s\n`,
  );
  return { exitCode, output };
}

/**
 * Every check, then every test that needs servers, two files at a time: each has servers of its own
 * and waits for them more than it works. The last line says how many tests ran in all.
 *
 * @returns the exit code
 */
export function runAllTests() {
  return withTestCount(async (countedAs) => {
    const checked = await runChecks({ unitTestArgs: countedAs('unit') });
    return checked === 0
      ? jest(['--selectProjects', ...serverKinds, twoAtATime, ...countedAs('servers')])
      : checked;
  });
}

/** Tests of all kinds as the arguments select them, for example `-t 'a name'` or a path. */
export function runSelectedTests(args) {
  return withTestCount((countedAs) =>
    jest(['--runInBand', '--passWithNoTests', ...countedAs('selected'), ...args]),
  );
}

function jest(args) {
  return runInForeground(process.execPath, ['node_modules/jest/bin/jest.js', ...args]);
}
