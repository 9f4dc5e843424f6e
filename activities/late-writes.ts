import { isTerminal } from '../src/domain/batch';
import type { BatchRef } from '../src/domain/workflow-contract';
import type { ActivityDeps } from './deps';
import { heartbeating } from './heartbeating';
import { removeLedger } from './remove-batch';

/**
 * Runs an activity that writes what only a running batch needs. A worker that stood still may wake
 * up after the batch has ended without it: what it then writes comes after `cleanUp`, and goes here.
 */
export async function removingLateWrites<T>(
  deps: ActivityDeps,
  { projectId, batchId }: BatchRef,
  activity: () => Promise<T>,
): Promise<T> {
  try {
    return await activity();
  } finally {
    await heartbeating({ step: 'looking for the end' }, async () => {
      await removeIfEnded(deps, { projectId, batchId });
    });
  }
}

/** The activity's result counts for more: what stays here goes with the batch. */
async function removeIfEnded(deps: ActivityDeps, ref: BatchRef): Promise<void> {
  try {
    const batch = await deps.batches.get(ref);
    if (batch !== undefined && isTerminal(batch.status)) {
      await removeLedger(deps, ref);
    }
  } catch (error) {
    deps.logger.warn({ batch: ref.batchId, err: error }, 'cannot look for late writes');
  }
}
