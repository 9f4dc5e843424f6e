import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  /** What is waited for, to end the sentence "Waited 10 s for …". */
  readonly what: string;
  readonly timeoutMs: number;
  readonly intervalMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks until the condition holds.
 *
 * @throws when it does not in time, with the reason of the signal when that is aborted, or what the
 *   condition throws.
 */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  { what, timeoutMs, intervalMs = 50, signal }: WaitOptions,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    signal?.throwIfAborted();
    if (performance.now() > deadline) {
      throw new Error(`Waited ${timeoutMs / 1000} s for ${what}.`);
    }
    await delay(intervalMs);
  }
}
