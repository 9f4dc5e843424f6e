/** Retries of calls to the store, bounded in time. */
import { setTimeout as delay } from 'node:timers/promises';
import { StoreFault, StoreFull } from './object-store';

/** MinIO's codes for a full disk and a full quota, and Ceph's for the latter. */
const fullCodes: ReadonlySet<string> = new Set([
  'XMinioStorageFull',
  'XMinioAdminBucketQuotaExceeded',
  'QuotaExceeded',
]);

/** The store understood and refused: repeating the call would not help. */
export class StoreRefusal extends Error {
  override readonly name = 'StoreRefusal';

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(`${code}: ${message}`);
  }

  /** What is written finds no room; it may find some later. */
  get isForRoom(): boolean {
    return fullCodes.has(this.code);
  }
}

export interface RetryPolicy {
  /** No attempt starts later than this after the first; 0 for a single attempt. */
  readonly retryMs: number;
  /** Whether a store without room is called again, like one that is down. */
  readonly waitsForRoom?: boolean;
}

const backoffMsMin = 100;
/**
 * Short, because what is waiting to be committed must be in the store, when that is back, before
 * another worker takes the slice over: a second after Temporal has found the old attempt dead.
 */
const backoffMsMax = 1_000;

/**
 * Calls until it succeeds, is refused, or no attempt may start within `retryMs` of the first. So it
 * ends within `retryMs` and the time of one attempt.
 *
 * @param what names the call and its key in the fault's message.
 * @throws {@link StoreFault}, and a {@link StoreFull} when the last attempt found no room.
 */
export async function withRetry<T>(
  what: string,
  { retryMs, waitsForRoom = false }: RetryPolicy,
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
      const isRefused = error instanceof StoreRefusal && !(waitsForRoom && error.isForRoom);
      if (isRefused || performance.now() + waitMs >= deadline) {
        throw faultOf(what, error);
      }
      await delay(waitMs);
    }
  }
}

function faultOf(what: string, cause: unknown): StoreFault {
  return cause instanceof StoreRefusal && cause.isForRoom
    ? new StoreFull(`The object store had no room to ${what}`, { cause })
    : new StoreFault(`The object store failed to ${what}`, { cause });
}

/** Between half of and all of 0.1 s · 2ⁿ, at most a second. */
function backoffMs(failures: number): number {
  const ceiling = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(failures - 1, 16));
  return ceiling * (0.5 + Math.random() / 2);
}
