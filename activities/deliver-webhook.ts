/**
 * One attempt at delivering the event of a batch to one webhook.
 *
 * May be repeated: the receiver tells a repeat by its `webhook-id`, which stays the same.
 * Heartbeats every second.
 * Resumes from nothing: it sends again.
 * Never fails for good. What the receiver does wrong is a result, for the workflow to wait and call
 * again; only what this side cannot do — reach the store — fails the activity.
 */
import type { BatchRecord } from '../src/domain/batch';
import { stateAfterFailure, withAttempt, type DeliveryState } from '../src/domain/delivery';
import { retryAfterMs } from '../src/domain/retry';
import {
  signingSecrets,
  webhookId,
  type SigningSecret,
  type WebhookEventType,
  type WebhookTarget,
} from '../src/domain/webhook';
import type { NotificationInput, NotificationResult } from '../src/domain/workflow-contract';
import { makeSigningSecret, webhookSignature } from '../src/notifications/signature';
import { eventTypeOf, webhookBody } from '../src/notifications/webhook-event.wire';
import type { WebhookAnswer } from '../src/notifications/webhook-sender';
import { nowSeconds } from './deps';
import type { NotificationDeps } from './notification-deps';

const userAgent = 'Longhaul/1.0';

interface WebhookInput extends NotificationInput {
  readonly target: WebhookTarget;
}

/** Where an event goes, and what signs it. */
interface Destination {
  readonly url: string;
  readonly secret: SigningSecret;
}

export async function deliverWebhook(
  deps: NotificationDeps,
  input: WebhookInput,
): Promise<NotificationResult> {
  const { ref, target } = input;
  const batch = await deps.batches.get(ref);
  const type = batch && eventTypeOf(batch);
  if (batch === undefined || type === undefined) {
    // The batch has been removed; so has the log.
    return { state: 'stopped' };
  }
  const destination = await destinationOf(deps, batch, target);
  if (destination === undefined) {
    await deps.webhooks.updateDelivery(ref, target, (log) => ({ ...log, state: 'stopped' }));
    return { state: 'stopped' };
  }
  const startedMs = deps.now();
  const answer = await deps.webhookSender.send({
    url: destination.url,
    ...signedEvent(batch, { type, target, secret: destination.secret }, nowSeconds(deps)),
  });
  return await record(deps, input, { answer, url: destination.url, startedMs });
}

/** `undefined` when nobody wants the event any more. */
async function destinationOf(
  { webhooks }: NotificationDeps,
  batch: BatchRecord,
  target: WebhookTarget,
): Promise<Destination | undefined> {
  if (target !== 'own') {
    const endpoint = await webhooks.get(batch.projectId, target);
    return endpoint?.isEnabled === true ? endpoint : undefined;
  }
  const { webhookUrl: url } = batch;
  const make = (): SigningSecret => ({ current: makeSigningSecret() });
  return url === undefined
    ? undefined
    : { url, secret: await webhooks.updateSecret(batch.projectId, make) };
}

/** Serialised once: the bytes that are signed are those that are sent. */
function signedEvent(
  batch: BatchRecord,
  {
    type,
    target,
    secret,
  }: {
    readonly type: WebhookEventType;
    readonly target: WebhookTarget;
    readonly secret: SigningSecret;
  },
  timestamp: number,
): { readonly headers: Readonly<Record<string, string>>; readonly body: Buffer } {
  const body = webhookBody(batch, type);
  const id = webhookId(batch.id, target);
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'user-agent': userAgent,
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': webhookSignature(signingSecrets(secret, timestamp), {
        id,
        timestamp,
        body,
      }),
    },
  };
}

async function record(
  deps: NotificationDeps,
  { ref, target, attemptNumber }: WebhookInput,
  sent: { readonly answer: WebhookAnswer; readonly url: string; readonly startedMs: number },
): Promise<NotificationResult> {
  const { answer, url, startedMs } = sent;
  const status = 'status' in answer ? answer.status : null;
  const error = 'error' in answer ? answer.error : null;
  const state = stateAfter(status, attemptNumber);
  if (status === 410 && target !== 'own') {
    // Standard Webhooks: the receiver wants no more. An endpoint that was changed since is another.
    await deps.webhooks.update(ref.projectId, target, (endpoint) =>
      endpoint.url === url ? { ...endpoint, isEnabled: false } : endpoint,
    );
  }
  const durationMs = deps.now() - startedMs;
  const attempt = { at: Math.floor(startedMs / 1000), durationMs, status, error };
  await deps.webhooks.updateDelivery(ref, target, (log) => ({
    ...withAttempt(log, attempt),
    state,
  }));
  deps.logger.info(
    { batch: ref.batchId, target, attempt: attemptNumber, status, error, state },
    'webhook was called',
  );
  const retryAfter = 'status' in answer ? retryAfterMs(answer.retryAfter, deps.now()) : undefined;
  return {
    state,
    ...(retryAfter !== undefined && { retryAfterSeconds: Math.ceil(retryAfter / 1000) }),
  };
}

function stateAfter(status: number | null, attemptNumber: number): DeliveryState {
  if (status !== null && status >= 200 && status < 300) {
    return 'delivered';
  }
  return status === 410 ? 'stopped' : stateAfterFailure(attemptNumber);
}
