/**
 * Tells one target — a webhook, or the recipients of e-mail — how a batch has ended.
 *
 * An attempt is one activity; between two this workflow sleeps, up to a day, until the target has
 * acknowledged, is to be left alone, or the last attempt has failed. It is a child that its batch
 * does not wait for. What was sent and how it was answered is in the store; this holds none of it.
 */
import { setCurrentDetails, sleep } from '@temporalio/workflow';
import { retryDelayMs } from '../src/domain/delivery';
import {
  taskQueues,
  type NotificationWorkflowInput,
  type NotificationWorkflowResult,
} from '../src/domain/workflow-contract';
import { notificationActivities } from './activity-options';

export async function notificationWorkflow(
  input: NotificationWorkflowInput,
): Promise<NotificationWorkflowResult> {
  const { ref, target } = input;
  const { notifications } = taskQueues(input.taskQueuePrefix);
  for (let attemptNumber = 1; ; attemptNumber++) {
    const activities = notificationActivities(notifications, `attempt ${attemptNumber}`);
    const { state, retryAfterSeconds } = await activities.notify({ ref, target, attemptNumber });
    setCurrentDetails(`${state} after ${attemptNumber} attempts`);
    if (state !== 'pending') {
      return { state };
    }
    const delayMs = retryDelayMs(attemptNumber, {
      random: Math.random(),
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    });
    await sleep(delayMs, { summary: `until attempt ${attemptNumber + 1}` });
  }
}
