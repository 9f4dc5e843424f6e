/**
 * Further processes that run slices: one has a single event loop, and so one processor at most.
 *
 * They run the same program in the role `inference` alone, and never outlive the process that started
 * them: a worker whose channel to it is closed stops as after SIGTERM.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Environment } from '../config/config';

export interface InferenceProcesses {
  /** Makes them hand over and end. Again does no harm. */
  stop(): void;
  /**
   * Resolves after {@link stop}, when all have ended; rejects when one has failed, was killed, or has
   * ended without being told to.
   */
  readonly stopped: Promise<void>;
}

/** @param program its path; it stops at SIGTERM. */
export function startInferenceProcesses(
  program: string,
  count: number,
  env: Environment,
): InferenceProcesses {
  const settings = { LONGHAUL_WORKER_ROLES: 'inference', LONGHAUL_INFERENCE_PROCESSES: '1' };
  const processes = Array.from({ length: count }, () =>
    fork(program, { env: { ...env, ...settings } }),
  );
  const stopping = new AbortController();
  return {
    stop: () => {
      stopping.abort();
      processes.forEach((process) => process.kill('SIGTERM'));
    },
    stopped: Promise.all([
      ...processes.map(async (process) => {
        await ended(process, stopping.signal);
      }),
      // With no processes too: this one is not to end for want of others.
      once(stopping.signal, 'abort'),
    ]).then(() => undefined),
  };
}

async function ended(process: ChildProcess, stopping: AbortSignal): Promise<void> {
  const [code, signal] = (await once(process, 'exit')) as [number | null, string | null];
  // One that is still starting has no handler yet, and nothing to hand over.
  const isDone = code === 0 || signal === 'SIGTERM' || signal === 'SIGINT';
  if (!(isDone && stopping.aborted)) {
    throw new Error(`A process that runs slices has ended with ${signal ?? `exit code ${code}`}`);
  }
}
