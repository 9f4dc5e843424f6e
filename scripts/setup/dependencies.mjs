// npm's packages: installed when node_modules does not hold what package-lock.json says.
import { readFileSync } from 'node:fs';
import { inProject, SetupError, withElapsedTime } from './project.mjs';
import { capture } from './run.mjs';

export async function ensureDependencies() {
  const state = compareWithLock();
  if (state === 'fresh') {
    return;
  }
  const what =
    state === 'missing'
      ? 'Installing the dependencies (npm ci)'
      : 'Installing the dependencies again, because package-lock.json has changed (npm ci)';
  await withElapsedTime(what, async () => {
    const { exitCode, output } = await capture('npm', ['ci', '--include=dev']);
    if (exitCode !== 0) {
      throw new SetupError(
        `npm ci failed (exit code ${exitCode}), so the dependencies are not complete; what it said:\n${output}`,
      );
    }
  });
}

/**
 * npm writes `node_modules/.package-lock.json` as its last step, so an installation that was
 * interrupted has none, and one made by hand (`npm install …`) has a true one.
 */
function compareWithLock() {
  const wanted = readPackages(inProject('package-lock.json'));
  const installed = readPackages(inProject('node_modules', '.package-lock.json'));
  if (wanted === undefined) {
    throw new SetupError('package-lock.json is missing or broken: restore it from the repository.');
  }
  if (installed === undefined) {
    return 'missing';
  }
  const isInstalled = ([path, entry]) =>
    path === '' ||
    entry.optional === true ||
    (installed[path]?.version === entry.version && installed[path].integrity === entry.integrity);
  return Object.entries(wanted).every(isInstalled) ? 'fresh' : 'stale';
}

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}
