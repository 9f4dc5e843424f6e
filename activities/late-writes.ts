import { Context } from '@temporalio/activity';
import { isTerminal, type BatchRecord } from '../src/domain/batch';
import type { BatchRef } from '../src/domain/workflow-contract';
import type { ActivityDeps } from './deps';
import { heartbeating } from './heartbeating';
import { removeLedger } from './remove-batch';

/**
 * Runs an activity that writes what only a running batch needs. A worker that stood still may wake
 * up after the batch has ended without it: what it then writes comes after `cleanUp`, and goes here.
 *
 * @param hasEndedBatch whether the activity itself has, after all that it wrote.
 */
export async function removingLateWrites<T>(
  deps: ActivityDeps,
  { projectId, batchId }: BatchRef,
  activity: (onRecord: RecordListener) => Promise<T>,
  hasEndedBatch: (result: T) => boolean = () => false,
): Promise<T> {
  const context = Context.current();
  let seen: BatchRecord | undefined;
  let isDone = false;
  try {
    const result = await activity((record) => {
      seen = record;
    });
    isDone = hasEndedBatch(result);
    return result;
  } finally {
    if (!isDone && (seen === undefined || isTerminal(seen.status))) {
      const remove = async (): Promise<void> => {
        await removeIfEnded(deps, { projectId, batchId });
      };
      await heartbeating({ step: 'looking for the end' }, remove, context);
    }
  }
}

/** Told of the record as it was in the store after the last that an activity wrote, if it knows. */
export type RecordListener = (record: BatchRecord | undefined) => void;

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
