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
 *   standard error for a {@link LocalError}.
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
  if (error instanceof LocalError) {
    say(`\n${error.message}`);
    return 1;
  }
  throw error;
}

/** Standard error is for people; standard output is left to results. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
