/**
 * One sweep: removes what has had its time. A schedule starts it; while it runs, no other is started.
 */
import {
  taskQueues,
  type SweepResult,
  type SweepWorkflowInput,
} from '../src/domain/workflow-contract';
import { controlActivities } from './activity-options';

export async function sweepWorkflow({ taskQueuePrefix }: SweepWorkflowInput): Promise<SweepResult> {
  return await controlActivities(taskQueues(taskQueuePrefix).orchestrator, 'sweep').sweep();
}
