import type { Mailer } from '../src/notifications/mailer';
import type { WebhookSender } from '../src/notifications/webhook-sender';
import type { WebhookStore } from '../src/storage/webhook-store';
import type { ActivityDeps } from './deps';

/** What the activities need that tell how a batch has ended. */
export interface NotificationDeps extends Pick<
  ActivityDeps,
  'batches' | 'projects' | 'logger' | 'now'
> {
  readonly webhooks: WebhookStore;
  readonly webhookSender: WebhookSender;
  /** Absent: no e-mail. */
  readonly mailer?: Mailer;
}
