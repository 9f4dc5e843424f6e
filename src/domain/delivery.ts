/**
 * The delivery of one notification to one target: when it is tried again, and what is kept of it.
 *
 *   pending ──► delivered        (the receiver has acknowledged it)
 *      ├──────► failed           (the last attempt has failed)
 *      └──────► stopped          (nobody is there to tell: disabled, gone, refused for good)
 */
import type { NotificationTarget } from './webhook';

export type DeliveryState = 'pending' | 'delivered' | 'failed' | 'stopped';

/** Why there was no answer with a status. */
export type DeliveryError =
  /** The guard refused the address, or the URL. */
  | 'address_refused'
  | 'name_not_resolved'
  | 'certificate_refused'
  | 'connection_failed'
  | 'timeout'
  /** The mail server wants another user or password. */
  | 'not_authorized';

export interface DeliveryAttempt {
  /** Unix seconds. */
  readonly at: number;
  readonly durationMs: number;
  /** Of HTTP or SMTP; null when there was no answer. */
  readonly status: number | null;
  readonly error: DeliveryError | null;
}

/** What is kept below the batch. Neither the URL nor anything that a receiver answered is in it. */
export interface DeliveryLog {
  readonly target: NotificationTarget;
  readonly state: DeliveryState;
  /** The newest {@link attemptsKept}, oldest first. */
  readonly attempts: readonly DeliveryAttempt[];
  /** Recipients of e-mail whose mail server has taken the mail, or refused it for good. */
  readonly settledRecipients?: readonly string[];
}

const attemptsKept = 50;

/**
 * Seconds between an attempt and the next: the example of the Standard Webhooks specification
 * ("Deliverability and reliability"). Running workflows count on it: a change needs `patched()`.
 */
const retryDelaysSeconds = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400] as const;

/** The first attempt, and one after each delay: over 75 hours. */
export const deliveryAttemptsMax = retryDelaysSeconds.length + 1;

/** Later than scheduled by up to this share, so that receivers are not called in step. */
const jitterShare = 0.1;

/**
 * Milliseconds until the next attempt.
 *
 * @param attemptNumber of the attempt that has failed; from 1, below {@link deliveryAttemptsMax}.
 * @param random from 0 up to 1.
 */
export function retryDelayMs(
  attemptNumber: number,
  {
    random,
    retryAfterSeconds = 0,
  }: { readonly random: number; readonly retryAfterSeconds?: number },
): number {
  const scheduled = retryDelaysSeconds[attemptNumber - 1] ?? 0;
  const seconds = Math.max(scheduled, retryAfterSeconds) * (1 + jitterShare * random);
  return Math.round(seconds * 1000);
}

/** The state after an attempt that was not acknowledged but may be repeated. */
export function stateAfterFailure(attemptNumber: number): DeliveryState {
  return attemptNumber < deliveryAttemptsMax ? 'pending' : 'failed';
}

export function withAttempt(log: DeliveryLog, attempt: DeliveryAttempt): DeliveryLog {
  return { ...log, attempts: [...log.attempts, attempt].slice(-attemptsKept) };
}
