/** Retries of calls to the store, bounded in time. */
import { setTimeout as delay } from 'node:timers/promises';
import { StoreFault } from './object-store';

/** The store understood and refused: repeating the call would not help. */
export class StoreRefusal extends Error {
  override readonly name = 'StoreRefusal';

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(`${code}: ${message}`);
  }
}

const backoffMsMin = 100;
const backoffMsMax = 5_000;

/**
 * Calls until it succeeds, is refused, or no attempt may start within `retryMs` of the first. So it
 * ends within `retryMs` and the time of one attempt.
 *
 * @param what names the call and its key in the fault's message.
 * @throws {@link StoreFault}
 */
export async function withRetry<T>(
  what: string,
  retryMs: number,
  call: (attemptNumber: number) => Promise<T>,
): Promise<T> {
  const deadline = performance.now() + retryMs;
  for (let attemptNumber = 1; ; attemptNumber += 1) {
    try {
      return await call(attemptNumber);
    } catch (error) {
      const waitMs = backoffMs(attemptNumber);
      if (error instanceof StoreFault) {
        throw error;
      }
      if (error instanceof StoreRefusal || performance.now() + waitMs >= deadline) {
        throw new StoreFault(`The object store failed to ${what}`, { cause: error });
      }
      await delay(waitMs);
    }
  }
}

/** Between half of and all of 0.1 s · 2ⁿ, at most 5 s. */
function backoffMs(failures: number): number {
  const ceiling = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(failures - 1, 16));
  return ceiling * (0.5 + Math.random() / 2);
}
