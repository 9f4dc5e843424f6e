import { setTimeout as delay } from 'node:timers/promises';
import { describeExit, type ManagedProcess } from '../local/managed-process';
import type { StackOptions } from '../local/stack';
import { say } from './run-program';

const restartsMax = 5;
const restartWindowMs = 60_000;
const restartDelayMs = 1_000;

/**
 * What happens when a process of `npm start` ends by itself. API and workers keep nothing on which
 * anything depends, and a worker ends on purpose when it has lost Temporal for too long: they are
 * started again, up to five times a minute. Without a server nothing can go on.
 */
export function restartOrAbort(abort: AbortController): NonNullable<StackOptions['onCrash']> {
  const restarts = new Map<ManagedProcess, number[]>();
  return (process, exit) => {
    const now = performance.now();
    const recent = (restarts.get(process) ?? []).filter((at) => now - at < restartWindowMs);
    const mayRestart = process.isStateless && recent.length < restartsMax;
    if (!mayRestart) {
      abort.abort(process.failure(describeExit(exit)));
      return;
    }
    restarts.set(process, [...recent, now]);
    say(`${process.name} ${describeExit(exit)}; it is started again.`);
    startAgain(process, abort.signal).catch((error: unknown) => {
      abort.abort(error);
    });
  };
}

async function startAgain(process: ManagedProcess, signal: AbortSignal): Promise<void> {
  await delay(restartDelayMs, undefined, { signal });
  await process.start();
  say(`${process.name} is up again.`);
}
