/**
 * Finds the batches whose workflow was lost, and starts it again: to end the batch when somebody
 * terminated the workflow or it failed, to go on with the batch when the engine does not know it any
 * more, to clean up when the batch has ended.
 *
 * A batch without a record is left alone: it is just being created, or never came to be, which is for
 * the sweep to find out. What the engine does not answer is not concluded.
 *
 * Idempotent: a workflow is started only where none runs, and whatever it does may be done again.
 * Heartbeats every second with what it has found.
 * Resumes by looking again.
 * Never fails for good. What cannot be looked at now is left for the next recovery, and does not keep
 * others waiting.
 */
import { isTerminal, newBatchOf, type BatchRecord } from '../src/domain/batch';
import type {
  BatchRecovery,
  BatchRef,
  BatchWorkflowInput,
  RecoveryResult,
  ScheduledWorkflowInput,
} from '../src/domain/workflow-contract';
import type { LostRun } from '../src/temporal/batch-workflows';
import type { ActivityDeps } from './deps';
import { forEach } from './for-each';
import { heartbeating } from './heartbeating';
import { openBatches } from './open-batches';

const batchesInParallel = 8;

type Counts = { -readonly [K in keyof RecoveryResult]: RecoveryResult[K] };

export async function recoverBatches(
  deps: ActivityDeps,
  { taskQueuePrefix }: ScheduledWorkflowInput,
): Promise<RecoveryResult> {
  const counts: Counts = { running: 0, restarted: 0, left: 0, failed: 0 };
  await heartbeating(counts, async () => {
    await forEach(openBatches(deps.store), batchesInParallel, async (ref) => {
      try {
        counts[await recoverBatch(deps, ref, taskQueuePrefix)] += 1;
      } catch (error) {
        counts.failed += 1;
        deps.logger.warn({ batch: ref.batchId, err: error }, 'batch left for the next recovery');
      }
    });
  });
  return counts;
}

async function recoverBatch(
  deps: ActivityDeps,
  ref: BatchRef,
  taskQueuePrefix: string,
): Promise<keyof RecoveryResult> {
  // The state first: a workflow that ends by itself has written a terminal record before, and taken
  // the marker away.
  const state = await deps.workflows.state(ref.batchId);
  if (state === 'running') {
    return 'running';
  }
  const [record, marker] = [await deps.batches.get(ref), await deps.batches.getMarker(ref)];
  if (record === undefined || marker === undefined) {
    return 'left';
  }
  const input = await inputOf(deps, { record, state, taskQueuePrefix });
  const { status } = record;
  if (!(await deps.workflows.restart(input, { state, status }))) {
    return 'running';
  }
  const { reason } = input.recovery ?? {};
  deps.logger.warn({ batch: ref.batchId, state, status, reason }, 'lost workflow is started again');
  return 'restarted';
}

async function inputOf(
  { projects, settings }: ActivityDeps,
  lost: {
    readonly record: BatchRecord;
    readonly state: LostRun['state'];
    readonly taskQueuePrefix: string;
  },
): Promise<BatchWorkflowInput> {
  const { record, state, taskQueuePrefix } = lost;
  const { runningBatchesMax } = await projects.limits(record.projectId, settings.limits);
  const reason = isTerminal(record.status) ? undefined : endReasons[state];
  return {
    batch: newBatchOf(record),
    taskQueuePrefix,
    ...(runningBatchesMax !== null && { runningBatchesMax }),
    ...(reason !== undefined && { recovery: { reason } }),
  };
}

/** How a batch ends that has not when its workflow is gone; one that is missing goes on. */
const endReasons: Readonly<Record<LostRun['state'], BatchRecovery['reason'] | undefined>> = {
  stopped: 'cancelled',
  failed: 'failed',
  completed: 'failed',
  missing: undefined,
};
