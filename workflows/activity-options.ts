/**
 * How each activity is called: its queue, its limits, and how it is repeated.
 *
 * Every activity is repeated without limit, because what makes one fail — the store, the engine, a
 * deploy — passes, and a batch does not fail for it. A dead worker is noticed by missing heartbeats;
 * `startToCloseTimeout` is only the last resort against an attempt that heartbeats for ever.
 * Activities are waited for when they are cancelled: with TRY_CANCEL, finalizing would start while
 * slices still commit.
 */
import type { Priority } from '@temporalio/common';
import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { ControlActivities, InferenceActivities, NotificationActivities } from '../activities';

const retry = { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' } as const;
const cancellationType = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED;

/** Control activities. They heartbeat every second, and may take hours on a large batch. */
export function controlActivities(
  taskQueue: string,
  summary: string,
  priority: Priority = {},
): ControlActivities {
  return proxyActivities<ControlActivities>({
    taskQueue,
    summary,
    priority,
    startToCloseTimeout: '24h',
    heartbeatTimeout: '20s',
    cancellationType,
    retry,
  });
}

/**
 * Slices. They heartbeat every second and the worker passes that on every two at the latest, so ten
 * seconds of silence are a dead worker; measured, its shards go on elsewhere after 9 to 10 seconds.
 */
export function inferenceActivities(taskQueue: string, summary: string): InferenceActivities {
  return proxyActivities<InferenceActivities>({
    taskQueue,
    summary,
    startToCloseTimeout: '24h',
    heartbeatTimeout: '10s',
    cancellationType,
    allowEagerDispatch: false,
    retry,
  });
}

/** Calls to webhooks and mail servers: half a minute each, and what a busy machine adds. */
export function notificationActivities(taskQueue: string, summary: string): NotificationActivities {
  return proxyActivities<NotificationActivities>({
    taskQueue,
    summary,
    startToCloseTimeout: '10m',
    heartbeatTimeout: '20s',
    cancellationType,
    retry,
  });
}
