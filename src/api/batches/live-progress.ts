import { LRUCache } from 'lru-cache';
import type { BatchId } from '../../domain/ids';
import type { BatchRef } from '../../domain/workflow-contract';
import type { BatchStore, LiveProgress } from '../../storage/batch-store';

/** Workers write it about as often. */
const ageMsMax = 1_000;
/** Batches that clients look at, at a time. */
const batchesMax = 1_000;

/** Live counts and tokens of a batch, at most a second behind what is stored. */
export type ReadLiveProgress = (ref: BatchRef) => Promise<LiveProgress>;

/**
 * A look at them is a list and a read for every process that ran a shard; clients that poll a batch
 * ten times a second, or many that poll the same, share one look.
 *
 * @param now milliseconds of a clock that only goes forward.
 */
export function sharedLiveProgress(
  batches: BatchStore,
  now: () => number = () => performance.now(),
): ReadLiveProgress {
  const looks = new LRUCache<BatchId, LiveProgress, BatchRef>({
    max: batchesMax,
    ttl: ageMsMax,
    ttlResolution: 0,
    perf: { now },
    fetchMethod: async (_batchId, _stale, { context }) => await batches.liveProgress(context),
  });
  return async (ref) => await looks.forceFetch(ref.batchId, { context: ref });
}
