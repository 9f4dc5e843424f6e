/** Workflows of the benchmarks: what the engine costs by itself, and an activity of ours alone. */
import { executeChild, proxyActivities } from '@temporalio/workflow';
import type { ControlActivities } from '../activities';
import { taskQueues, type FinalizeInput } from '../src/domain/workflow-contract';

/** What a worker of the benchmarks runs beside these workflows. */
export interface EmptyActivities {
  nothing(): Promise<void>;
}

const { nothing } = proxyActivities<EmptyActivities>({ startToCloseTimeout: '10m' });

/** One child, which runs one activity, and so many activities altogether, one after the other. */
export async function emptyWorkflow(activityCount: number): Promise<void> {
  for (let count = 1; count < activityCount; count++) {
    await nothing();
  }
  await executeChild(emptyChildWorkflow);
}

export async function emptyChildWorkflow(): Promise<void> {
  await nothing();
}

/** One run of the activity on a worker of the product. */
export async function finalizeWorkflow(
  input: FinalizeInput,
  taskQueuePrefix: string,
): Promise<void> {
  const { orchestrator } = taskQueues(taskQueuePrefix);
  const { finalizeBatch } = proxyActivities<Pick<ControlActivities, 'finalizeBatch'>>({
    taskQueue: orchestrator,
    startToCloseTimeout: '1h',
    heartbeatTimeout: '20s',
    retry: { maximumAttempts: 1 },
  });
  await finalizeBatch(input);
}
