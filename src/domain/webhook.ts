/**
 * Webhooks: what is told when a batch ends, to whom, and with which secret it is signed.
 *
 * The events are OpenAI's, the delivery is that of the Standard Webhooks specification. One event
 * goes to several targets: the project's endpoints, the batch's own `webhook_url`, its e-mail.
 */
import type { TerminalStatus } from './batch';
import type { BatchId, ProjectId, WebhookEndpointId } from './ids';

export const webhookEventTypes = [
  'batch.completed',
  'batch.failed',
  'batch.expired',
  'batch.cancelled',
] as const satisfies readonly `batch.${TerminalStatus}`[];
export type WebhookEventType = (typeof webhookEventTypes)[number];

/** Who is told: an endpoint of the project, the batch's own `webhook_url`, or the recipients of e-mail. */
export type WebhookTarget = WebhookEndpointId | 'own';
export type NotificationTarget = WebhookTarget | 'email';

/** A secret, and the one before it while receivers change over. */
export interface SigningSecret {
  /** `whsec_` and the base64 of 32 bytes. */
  readonly current: string;
  readonly previous?: {
    readonly secret: string;
    /** Unix seconds. */
    readonly validUntil: number;
  };
}

/** An endpoint of a project as it is stored. Times are Unix seconds. */
export interface WebhookEndpoint {
  readonly id: WebhookEndpointId;
  readonly projectId: ProjectId;
  readonly createdAt: number;
  readonly url: string;
  /** Null: all. */
  readonly events: readonly WebhookEventType[] | null;
  readonly isEnabled: boolean;
  readonly secret: SigningSecret;
}

/** Endpoints of one project: each is a delivery, and a workflow, for every batch. */
export const webhookEndpointsMax = 20;

/** For how long both secrets sign after a change: a day to roll a receiver out. */
const rotationSeconds = 86_400;

export function wantsEvent(endpoint: WebhookEndpoint, type: WebhookEventType): boolean {
  return endpoint.isEnabled && (endpoint.events?.includes(type) ?? true);
}

/** @param next `whsec_` and the base64 of 32 bytes. */
export function rotated(secret: SigningSecret, next: string, nowSeconds: number): SigningSecret {
  const validUntil = nowSeconds + rotationSeconds;
  return { current: next, previous: { secret: secret.current, validUntil } };
}

/** All secrets that sign now, the current one first. */
export function signingSecrets(secret: SigningSecret, nowSeconds: number): readonly string[] {
  const { current, previous } = secret;
  return previous !== undefined && nowSeconds < previous.validUntil
    ? [current, previous.secret]
    : [current];
}

/** The event's id: a batch ends once, so that it has one event. */
export function webhookEventId(batchId: BatchId): string {
  return `evt_${bareId(batchId)}`;
}

/** `webhook-id`: the same for every attempt at telling a target, however late. */
export function webhookId(batchId: BatchId, target: WebhookTarget): string {
  return target === 'own'
    ? `wh_${bareId(batchId)}`
    : `wh_${bareId(batchId)}_${target.slice('we_'.length)}`;
}

function bareId(batchId: BatchId): string {
  return batchId.slice('batch_'.length);
}
