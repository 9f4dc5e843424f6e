/**
 * Lists who is to be told how a batch has ended. Ids only: neither an address nor a secret enters a
 * history.
 *
 * Idempotent: it reads. Whoever has been told, or has been given up, is not listed again.
 * Heartbeats every second.
 * Resumes from nothing: it is a few small reads.
 * Never fails for good.
 */
import type { BatchRecord } from '../src/domain/batch';
import type { NotificationTarget } from '../src/domain/webhook';
import { refOf, type BatchRef } from '../src/domain/workflow-contract';
import { webhookTargets } from '../src/notifications/targets';
import { MissingObject } from './deps';
import type { NotificationDeps } from './notification-deps';

export async function planNotifications(
  deps: NotificationDeps,
  ref: BatchRef,
): Promise<readonly NotificationTarget[]> {
  const batch = await deps.batches.get(ref);
  if (batch === undefined) {
    throw new MissingObject('record', ref);
  }
  return await notificationTargets(deps, batch);
}

/** Who is still to be told how a batch has ended; nobody while it has not. */
export async function notificationTargets(
  deps: Pick<NotificationDeps, 'webhooks' | 'projects' | 'mailer'>,
  batch: BatchRecord,
): Promise<readonly NotificationTarget[]> {
  const ref = refOf(batch);
  const [webhooks, hasRecipients] = await Promise.all([
    webhookTargets(deps.webhooks, batch),
    wantsEmail(deps, ref),
  ]);
  const targets = [...webhooks, ...(hasRecipients ? ['email' as const] : [])];
  if (targets.length === 0) {
    return [];
  }
  const logs = await deps.webhooks.listDeliveries(ref);
  const settled = logs.filter(({ state }) => state !== 'pending').map(({ target }) => target);
  return targets.filter((target) => !settled.includes(target));
}

async function wantsEmail(
  deps: Pick<NotificationDeps, 'projects' | 'mailer'>,
  { projectId }: BatchRef,
): Promise<boolean> {
  return (
    deps.mailer !== undefined && ((await deps.projects.get(projectId))?.emails.length ?? 0) > 0
  );
}
