/**
 * One look for batches whose workflow was lost. A schedule starts it; while it runs, no other is
 * started.
 */
import {
  taskQueues,
  type RecoveryResult,
  type ScheduledWorkflowInput,
} from '../src/domain/workflow-contract';
import { controlActivities } from './activity-options';

export async function recoveryWorkflow(input: ScheduledWorkflowInput): Promise<RecoveryResult> {
  const { orchestrator } = taskQueues(input.taskQueuePrefix);
  return await controlActivities(orchestrator, 'recovery').recoverBatches(input);
}
