// Python's packages for the contract tests, in a virtual environment of the project's own. It is
// made once for each list of requirements and each Python, and again when it does not run.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolderOf, ensureCacheFolder, isAlive } from './cache.mjs';
import { inProject, SetupError, withElapsedTime } from './project.mjs';
import { capture, timeoutExitCode } from './run.mjs';

/** Names the environment's interpreter to the tests. */
export const pythonVariable = 'LONGHAUL_TEST_PYTHON';

const requirements = inProject('test', 'contract', 'python', 'requirements.txt');
/** Below it there is no release of the pinned packages. */
const versionMin = [3, 10];
const answerTimeoutMs = 10_000;
const remedy = `install Python ${versionMin.join('.')} or newer (https://www.python.org/downloads) so that it is on PATH as python3.`;
const purpose = 'the contract tests drive the server with the official Python client';

/**
 * Kept in LONGHAUL_CACHE_DIR, or else in the project.
 *
 * @returns the absolute path of an interpreter that has the pinned packages
 */
export async function obtainPython(env = process.env) {
  const version = await findPython(env);
  const cacheFolder = cacheFolderOf(env);
  const folder = join(cacheFolder, cacheName(version));
  const python = join(folder, 'bin', 'python');
  // A Python that was moved or removed leaves links behind that lead nowhere.
  if (!existsSync(folder) || !(await runs(python))) {
    ensureCacheFolder(cacheFolder, 'Python packages');
    await make(folder, env);
    removeOthers(cacheFolder, folder);
  }
  return python;
}

/** @returns its version, such as `3.11.7` */
async function findPython(env) {
  const script = 'import sys; print("%d.%d.%d" % sys.version_info[:3])';
  const answer = await capture('python3', ['-c', script], { env, timeoutMs: answerTimeoutMs });
  const version = /^(\d+)\.(\d+)\.\d+$/m.exec(answer.output);
  if (answer.exitCode === timeoutExitCode) {
    throw new SetupError(
      `The python3 of this machine did not say its version within ${answerTimeoutMs / 1000} s, and ${purpose}: ${remedy}`,
    );
  }
  if (answer.exitCode !== 0 || version === null) {
    throw new SetupError(`There is no python3 on this machine, and ${purpose}: ${remedy}`);
  }
  const [major, minor] = version.slice(1).map(Number);
  if (major < versionMin[0] || (major === versionMin[0] && minor < versionMin[1])) {
    throw new SetupError(
      `The python3 of this machine (${version[0]}) is too old, and ${purpose}: ${remedy}`,
    );
  }
  return version[0];
}

/** The hash keeps an environment of other requirements or of another Python from being used. */
function cacheName(version) {
  const hash = createHash('sha256').update(version).update(readFileSync(requirements));
  return `venv-${hash.digest('hex').slice(0, 12)}`;
}

async function runs(python) {
  const { output } = await capture(python, ['--version'], { timeoutMs: answerTimeoutMs });
  return output.startsWith('Python ');
}

/** Under another name until it is complete; programs in it are run as modules, by its interpreter. */
async function make(folder, env) {
  const unfinished = `${folder}-unfinished-${process.pid}`;
  rmSync(folder, { recursive: true, force: true });
  try {
    await withElapsedTime('Installing the Python packages of the contract tests', async () => {
      await makeEnvironment(unfinished, env);
      await install(unfinished, env);
    });
    renameSync(unfinished, folder);
  } catch (error) {
    // Another run was quicker, and its environment is as good.
    if (error.code !== 'ENOTEMPTY') {
      throw error;
    }
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

async function makeEnvironment(folder, env) {
  const { exitCode, output } = await capture('python3', ['-m', 'venv', folder], { env });
  if (exitCode !== 0) {
    throw new SetupError(
      `python3 cannot make a virtual environment, and ${purpose}: install its venv module (Debian and Ubuntu have it in the package python3-venv). What it said:\n${output}`,
    );
  }
}

async function install(folder, env) {
  // Wheels only: nothing is compiled, and nothing of a package runs while it is installed.
  const args = ['-m', 'pip', 'install', '--quiet', '--no-input', '--disable-pip-version-check'];
  const options = ['--only-binary', ':all:', '--requirement', requirements];
  const python = join(folder, 'bin', 'python');
  const { exitCode, output } = await capture(python, [...args, ...options], { env });
  if (exitCode !== 0) {
    throw new SetupError(
      `Installing the Python packages of the contract tests failed: check that pip reaches its package index, and run the command again. What pip said:\n${output}`,
    );
  }
}

/** Those of other requirements or Pythons, and what interrupted runs have left. */
function removeOthers(cacheFolder, folder) {
  const names = readdirSync(cacheFolder).filter((name) => name.startsWith('venv-'));
  const isBeingMade = (path) => isAlive(Number(/-unfinished-(\d+)$/.exec(path)?.[1]));
  for (const path of names.map((name) => join(cacheFolder, name))) {
    if (path !== folder && !isBeingMade(path)) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}
