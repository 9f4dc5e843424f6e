/** Starts the telling of how a batch has ended; a target that does not answer holds nobody up. */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  ChildWorkflowCancellationType,
  log,
  ParentClosePolicy,
  startChild,
} from '@temporalio/workflow';
import { notificationWorkflowId } from '../src/domain/ids';
import type { NotificationTarget } from '../src/domain/webhook';
import { taskQueues, type BatchRef } from '../src/domain/workflow-contract';
import { notificationActivities } from './activity-options';
import { notificationWorkflow } from './notification.workflow';

/** To be called when the batch's record is terminal; again does no harm. */
export async function planAndStartNotifications(
  ref: BatchRef,
  taskQueuePrefix: string,
): Promise<void> {
  await CancellationScope.nonCancellable(async () => {
    const { orchestrator } = taskQueues(taskQueuePrefix);
    const activities = notificationActivities(orchestrator, 'list whom to tell');
    const targets = await activities.planNotifications(ref);
    await startNotifications(targets, ref, taskQueuePrefix);
  });
}

/** The same, when it is known whom to tell. */
export async function startNotifications(
  targets: readonly NotificationTarget[],
  ref: BatchRef,
  taskQueuePrefix: string,
): Promise<void> {
  await CancellationScope.nonCancellable(async () => {
    await Promise.all(
      targets.map(async (target) => {
        await startNotification(ref, target, taskQueuePrefix);
      }),
    );
  });
}

async function startNotification(
  ref: BatchRef,
  target: NotificationTarget,
  taskQueuePrefix: string,
): Promise<void> {
  try {
    await startChild(notificationWorkflow, {
      workflowId: notificationWorkflowId(ref.batchId, target),
      args: [{ ref, target, taskQueuePrefix }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      cancellationType: ChildWorkflowCancellationType.ABANDON,
      staticSummary: target === 'email' ? 'e-mail' : `webhook ${target}`,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) {
      throw error;
    }
    log.info('The target is being told already', { target });
  }
}
