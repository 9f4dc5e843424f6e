// The folder for what takes long to make: where it is, and what must hold before it is used.
import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { inProject, SetupError } from './project.mjs';

/** LONGHAUL_CACHE_DIR, or else in the project. */
export function cacheFolderOf(env) {
  return env.LONGHAUL_CACHE_DIR ?? inProject('.longhaul', 'cache');
}

/**
 * Makes a folder in the cache.
 *
 * @param kept what is kept in it, to go before "are kept"
 */
export function ensureCacheFolder(path, kept) {
  try {
    makeFolder(path);
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new SetupError(
      `The folder ${path}, in which ${kept} are kept, cannot be used: ${error.message}. Set LONGHAUL_CACHE_DIR to a folder that you may write to.`,
    );
  }
}

/** Step by step: in /proc, where nobody can make a folder, Node's recursive call never returns. */
function makeFolder(path) {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory()) {
    return;
  }
  if (found === undefined) {
    makeFolder(dirname(path));
  }
  mkdirSync(path);
}

/** Whether a process that marked something with its number still runs. */
export function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
