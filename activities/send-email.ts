/**
 * One attempt at telling the recipients of a project by e-mail how a batch has ended.
 *
 * May be repeated: recipients whose server has taken the mail are not sent it again, and a second
 * copy after a crash has the same message id.
 * Heartbeats every second.
 * Resumes from the recipients that are not settled.
 * Never fails for good; what the mail server does wrong is a result, as in `deliver-webhook.ts`.
 */
import { isTerminal } from '../src/domain/batch';
import { stateAfterFailure, withAttempt, type DeliveryState } from '../src/domain/delivery';
import type { NotificationInput, NotificationResult } from '../src/domain/workflow-contract';
import { batchMail } from '../src/notifications/batch-mail';
import type { MailAnswer } from '../src/notifications/mailer';
import type { NotificationDeps } from './notification-deps';

const target = 'email';

export async function sendEmail(
  deps: NotificationDeps,
  { ref, attemptNumber }: NotificationInput,
): Promise<NotificationResult> {
  const batch = await deps.batches.get(ref);
  if (batch === undefined || !isTerminal(batch.status)) {
    // The batch has been removed; so has the log.
    return { state: 'stopped' };
  }
  const known = await deps.webhooks.getDelivery(ref, target);
  if (known !== undefined && known.state !== 'pending') {
    return { state: known.state };
  }
  const settled = known?.settledRecipients ?? [];
  const to = (await deps.projects.get(ref.projectId))?.emails ?? [];
  const recipients = to.filter((recipient) => !settled.includes(recipient));
  if (deps.mailer === undefined || recipients.length === 0) {
    await deps.webhooks.updateDelivery(ref, target, (log) => ({ ...log, state: 'stopped' }));
    return { state: 'stopped' };
  }
  const startedMs = deps.now();
  const answer = await deps.mailer.send(batchMail(batch, { to, recipients }));
  const { status, error, accepted, refused } = answer;
  const state = stateAfter(answer, { waiting: recipients.length, attemptNumber });
  const durationMs = deps.now() - startedMs;
  const attempt = { at: Math.floor(startedMs / 1000), durationMs, status, error };
  await deps.webhooks.updateDelivery(ref, target, (log) => ({
    ...withAttempt(log, attempt),
    state,
    settledRecipients: [...new Set([...(log.settledRecipients ?? []), ...accepted, ...refused])],
  }));
  deps.logger.info(
    {
      batch: ref.batchId,
      attempt: attemptNumber,
      status,
      error,
      accepted: accepted.length,
      refused: refused.length,
      state,
    },
    'e-mail was sent',
  );
  return { state };
}

function stateAfter(
  { accepted, refused }: MailAnswer,
  { waiting, attemptNumber }: { readonly waiting: number; readonly attemptNumber: number },
): DeliveryState {
  if (accepted.length + refused.length < waiting) {
    return stateAfterFailure(attemptNumber);
  }
  return accepted.length > 0 ? 'delivered' : 'stopped';
}
