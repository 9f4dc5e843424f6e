/** Activities that tell how a batch has ended. */
import type { NotificationTarget } from '../src/domain/webhook';
import type {
  BatchRef,
  NotificationInput,
  NotificationResult,
} from '../src/domain/workflow-contract';
import { deliverWebhook } from './deliver-webhook';
import { heartbeating } from './heartbeating';
import type { NotificationDeps } from './notification-deps';
import { planNotifications } from './plan-notifications';
import { sendEmail } from './send-email';

export interface NotificationActivities {
  planNotifications(ref: BatchRef): Promise<readonly NotificationTarget[]>;
  notify(input: NotificationInput): Promise<NotificationResult>;
}

export function createNotificationActivities(deps: NotificationDeps): NotificationActivities {
  return {
    planNotifications: async (ref) =>
      await heartbeating({ step: 'listing whom to tell' }, async () => {
        return await planNotifications(deps, ref);
      }),
    notify: async (input) =>
      await heartbeating({ step: 'telling', target: input.target }, async () => {
        const { target } = input;
        return target === 'email'
          ? await sendEmail(deps, input)
          : await deliverWebhook(deps, { ...input, target });
      }),
  };
}
