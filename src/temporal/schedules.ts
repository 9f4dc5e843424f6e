/** The schedules that start what has to be done every so often. */
import {
  ScheduleAlreadyRunning,
  ScheduleOverlapPolicy,
  type Client,
  type ScheduleOptions,
} from '@temporalio/client';
import {
  recoveryWorkflowName,
  sweepWorkflowName,
  taskQueues,
  type ScheduledWorkflowInput,
} from '../domain/workflow-contract';
import type { Logger } from '../observability/logger';

const workflowNames = { sweep: sweepWorkflowName, recovery: recoveryWorkflowName } as const;
export type ScheduleName = keyof typeof workflowNames;

export interface SchedulesOptions {
  readonly taskQueuePrefix: string;
  readonly intervalsMs: Readonly<Record<ScheduleName, number>>;
}

/**
 * Makes the schedules, or changes them to what they should be; every worker may do so at its start.
 * Then looks, as often as for lost batches, whether they are still there: an engine that has lost
 * its database has lost them too, and so whoever would notice.
 *
 * A pause by an operator stays. What was missed while Temporal was down is not made up for: one run
 * does the work of many.
 *
 * @returns a function that ends the looking.
 */
export async function keepSchedules(
  client: Client,
  options: SchedulesOptions,
  logger: Logger,
): Promise<() => void> {
  const schedules = schedulesOf(options);
  await Promise.all(
    schedules.map(async (schedule) => {
      await ensure(client, schedule);
    }),
  );
  const restore = async (): Promise<void> => {
    try {
      const created = await Promise.all(
        schedules.map(async (schedule) => await create(client, schedule)),
      );
      if (created.includes(true)) {
        logger.warn('Temporal had lost schedules: they are made again');
      }
    } catch (error) {
      logger.warn({ err: error }, 'cannot look for the schedules');
    }
  };
  const timer = setInterval(() => void restore(), options.intervalsMs.recovery);
  return () => {
    clearInterval(timer);
  };
}

/** Also how the ids of its workflows begin. */
export function scheduleId(taskQueuePrefix: string, name: ScheduleName): string {
  return `${taskQueuePrefix}-${name}`;
}

function schedulesOf({ taskQueuePrefix, intervalsMs }: SchedulesOptions): ScheduleOptions[] {
  const input: ScheduledWorkflowInput = { taskQueuePrefix };
  return (['sweep', 'recovery'] as const).map((name) => ({
    scheduleId: scheduleId(taskQueuePrefix, name),
    spec: { intervals: [{ every: intervalsMs[name] }] },
    action: {
      type: 'startWorkflow',
      workflowType: workflowNames[name],
      workflowId: scheduleId(taskQueuePrefix, name),
      taskQueue: taskQueues(taskQueuePrefix).orchestrator,
      args: [input],
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' },
  }));
}

async function ensure(client: Client, schedule: ScheduleOptions): Promise<void> {
  if (!(await create(client, schedule))) {
    const handle = client.schedule.getHandle(schedule.scheduleId);
    await handle.update(({ state }) => ({ ...schedule, state }));
  }
}

/** Whether it was not there before. */
async function create(client: Client, schedule: ScheduleOptions): Promise<boolean> {
  try {
    await client.schedule.create(schedule);
    return true;
  } catch (error) {
    if (error instanceof ScheduleAlreadyRunning) {
      return false;
    }
    throw error;
  }
}
