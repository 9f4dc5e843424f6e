/** The schedule that starts a sweep every so often. */
import { ScheduleAlreadyRunning, ScheduleOverlapPolicy, type Client } from '@temporalio/client';
import {
  sweepWorkflowName,
  taskQueues,
  type SweepWorkflowInput,
} from '../domain/workflow-contract';

export interface SweepScheduleOptions {
  readonly taskQueuePrefix: string;
  readonly intervalMs: number;
}

/**
 * Makes the schedule, or changes it to what it should be; every worker may do so at its start. A
 * pause by an operator stays. What was missed while Temporal was down is not made up for: one sweep
 * does the work of many.
 */
export async function ensureSweepSchedule(
  client: Client,
  { taskQueuePrefix, intervalMs }: SweepScheduleOptions,
): Promise<void> {
  const id = sweepScheduleId(taskQueuePrefix);
  const input: SweepWorkflowInput = { taskQueuePrefix };
  const schedule = {
    spec: { intervals: [{ every: intervalMs }] },
    action: {
      type: 'startWorkflow' as const,
      workflowType: sweepWorkflowName,
      workflowId: id,
      taskQueue: taskQueues(taskQueuePrefix).orchestrator,
      args: [input],
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' as const },
  };
  try {
    await client.schedule.create({ scheduleId: id, ...schedule });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) {
      throw error;
    }
    await client.schedule.getHandle(id).update(({ state }) => ({ ...schedule, state }));
  }
}

/** Also how the ids of its workflows begin. */
export function sweepScheduleId(taskQueuePrefix: string): string {
  return `${taskQueuePrefix}-sweep`;
}
