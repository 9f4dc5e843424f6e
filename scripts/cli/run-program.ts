import { types } from 'node:util';
import { ConfigError } from '../../src/config/config';
import { LocalError } from '../local/local-error';

/** Ctrl-C, or being told to end. */
class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const interruptedExitCode = 130;

/**
 * Runs a program that has things to put away: Ctrl-C aborts the controller, whose signal the work
 * heeds; a second Ctrl-C ends the process at once. The work may abort it too, with what went wrong.
 *
 * @returns the exit code: that of the work, 130 when it was interrupted, 1 with one message on
 *   standard error for what the user can put right: a {@link LocalError}, settings or an upstreams
 *   file that are not usable, or what the system refuses.
 * @throws whatever else the work throws, which is a fault of ours.
 */
export async function runProgram(
  work: (abort: AbortController) => Promise<number>,
): Promise<number> {
  const abort = new AbortController();
  const onSignal = (): void => {
    if (abort.signal.aborted) {
      process.exit(interruptedExitCode);
    }
    abort.abort(new Interrupted());
  };
  signals.forEach((signal) => process.on(signal, onSignal));
  try {
    return await work(abort);
  } catch (error) {
    return exitCodeFor(abort.signal.aborted ? abort.signal.reason : error);
  } finally {
    signals.forEach((signal) => process.off(signal, onSignal));
  }
}

function exitCodeFor(error: unknown): number {
  if (error instanceof Interrupted) {
    return interruptedExitCode;
  }
  const message = messageForUser(error);
  if (message === undefined) {
    throw error;
  }
  say(`\n${message}`);
  return 1;
}

/** `undefined` for a fault of ours. */
function messageForUser(error: unknown): string | undefined {
  if (error instanceof LocalError) {
    return error.message;
  }
  if (error instanceof ConfigError) {
    return `${error.message}\nCorrect it as docs/configuration.md describes, and run the command again.`;
  }
  return isSystemError(error)
    ? `The system refuses something: ${error.message}. Check that this is what you meant, that you may use it, and that the disk is not full.`
    : undefined;
}

/** A call of the system that failed, such as ENOSPC, as against ERR_… of Node.js itself. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return types.isNativeError(error) && 'code' in error && 'syscall' in error;
}

/** Standard error is for people; standard output is left to results. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
