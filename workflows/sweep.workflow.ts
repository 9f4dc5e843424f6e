/**
 * One sweep: removes what has had its time. A schedule starts it; while it runs, no other is started.
 */
import {
  taskQueues,
  type ScheduledWorkflowInput,
  type SweepResult,
} from '../src/domain/workflow-contract';
import { controlActivities } from './activity-options';

export async function sweepWorkflow({
  taskQueuePrefix,
}: ScheduledWorkflowInput): Promise<SweepResult> {
  return await controlActivities(taskQueues(taskQueuePrefix).orchestrator, 'sweep').sweep();
}
