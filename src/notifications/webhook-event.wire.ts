/** OpenAI's webhook event. It names the batch only: whoever is told asks the API for the rest. */
import { endedAt, isTerminal, type BatchRecord } from '../domain/batch';
import { webhookEventId, type WebhookEventType } from '../domain/webhook';

/** `undefined` while the batch has not ended. */
export function eventTypeOf(batch: BatchRecord): WebhookEventType | undefined {
  return isTerminal(batch.status) ? `batch.${batch.status}` : undefined;
}

/** Unix seconds of a batch's end; those of its creation while it has not ended. */
export function eventTime(batch: BatchRecord): number {
  return endedAt(batch) ?? batch.createdAt;
}

/**
 * The body of the webhook: the same bytes with each attempt, because a record that is terminal
 * never changes.
 */
export function webhookBody(batch: BatchRecord, type: WebhookEventType): Buffer {
  return Buffer.from(
    JSON.stringify({
      id: webhookEventId(batch.id),
      object: 'event',
      type,
      created_at: eventTime(batch),
      data: { id: batch.id },
    }),
  );
}
