/** Who is told how a batch has ended. */
import type { BatchRecord } from '../domain/batch';
import { wantsEvent, type WebhookTarget } from '../domain/webhook';
import type { WebhookStore } from '../storage/webhook-store';
import { eventTypeOf } from './webhook-event.wire';

/** The webhooks that want the event of a batch; none while it has not ended. */
export async function webhookTargets(
  webhooks: WebhookStore,
  batch: BatchRecord,
): Promise<readonly WebhookTarget[]> {
  const type = eventTypeOf(batch);
  if (type === undefined) {
    return [];
  }
  const endpoints = await webhooks.list(batch.projectId);
  return [
    ...endpoints.filter((endpoint) => wantsEvent(endpoint, type)).map(({ id }) => id),
    ...(batch.webhookUrl === undefined ? [] : ['own' as const]),
  ];
}
