import type { WebhookSender } from '../src/notifications/webhook-sender';
import type { ActivityDeps } from './deps';

/** What the activities need that tell how a batch has ended. */
export interface NotificationDeps extends Pick<
  ActivityDeps,
  'batches' | 'projects' | 'webhooks' | 'mailer' | 'logger' | 'now'
> {
  readonly webhookSender: WebhookSender;
}
