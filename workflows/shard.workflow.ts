/**
 * One shard: slice after slice until it is sealed.
 *
 * A slice takes minutes, so that slots pass between batches, deploys need not wait, and resuming has
 * a durable point. It returns without a seal when its time is up, its worker stops, or the batch has
 * ended. After the end, or when this workflow is cancelled, the shard is left as it is: the batch
 * closes it. The shard's truth is its ledger; this workflow holds none, and may be run again.
 */
import {
  CancellationScope,
  continueAsNew,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type {
  EarlierAttempts,
  ShardWorkflowInput,
  SliceResult,
} from '../src/domain/workflow-contract';
import { inferenceActivities } from './activity-options';

export async function shardWorkflow(input: ShardWorkflowInput): Promise<SliceResult> {
  const { heldAs, ...again } = input;
  const { shard, inferenceTaskQueue, isOnly } = input;
  const first = { isFirst: true, ...(heldAs !== undefined && { heldAs }) } as const;
  let earlierAttempts: EarlierAttempts | undefined;
  let damaged = 0;
  for (let slice = 1; ; slice++) {
    const summary = `shard ${shard.shardIndex}, slice ${slice}`;
    const result = await inferenceActivities(inferenceTaskQueue, summary).runSlice({
      ...shard,
      ...(slice === 1 && first),
      ...(isOnly && { isOnly }),
      ...(earlierAttempts !== undefined && { earlierAttempts }),
    });
    earlierAttempts = result.earlierAttempts;
    const { completed, failed } = result.counts;
    damaged += result.damaged ?? 0;
    const found = damaged > 0 ? ` · ${damaged} damaged objects found` : '';
    setCurrentDetails(`${slice} slices · ${completed} completed · ${failed} failed${found}`);
    if (result.sealed || result.ended || CancellationScope.current().consideredCancelled) {
      return result;
    }
    if (workflowInfo().continueAsNewSuggested) {
      await continueAsNew<typeof shardWorkflow>(again);
    }
  }
}
