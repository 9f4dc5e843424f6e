// Where things are, and how to say what takes time.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const projectRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const inProject = (...parts) => join(projectRoot, ...parts);

/** Something the user can put right; its message is one clear sentence that says how. */
export class SetupError extends Error {
  name = 'SetupError';
}

const elapsedSeconds = (sinceMs) => ((performance.now() - sinceMs) / 1000).toFixed(1);

/**
 * Runs work and says on standard error what it is and how long it took; while it goes on, the
 * seconds are counted on a terminal and repeated every half minute anywhere else.
 */
export async function withElapsedTime(what, work) {
  const started = performance.now();
  const isTerminal = process.stderr.isTTY;
  const show = (text, end) =>
    process.stderr.write(isTerminal ? `\r\x1b[K${text}${end}` : `${text}\n`);
  show(`${what} …`, '');
  const timer = setInterval(
    () => show(`${what} … ${Math.round(elapsedSeconds(started))} s`, ''),
    isTerminal ? 1_000 : 30_000,
  );
  try {
    const result = await work();
    show(`${what}: done in ${elapsedSeconds(started)} s`, '\n');
    return result;
  } catch (error) {
    show(`${what}: failed after ${elapsedSeconds(started)} s`, '\n');
    throw error;
  } finally {
    clearInterval(timer);
  }
}
