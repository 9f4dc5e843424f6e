import { attemptCounts, attemptPolicies, type LineAttempts } from '../domain/retry';
import type { FailedAttemptKind } from './attempt';
import type { LineRequest } from './dispatcher';

/** What is known of an attempt when it is sent. */
export interface Sending {
  /** Sent to an upstream that is held for down. */
  readonly isTrial: boolean;
  /** How often the upstream had been found to be down. */
  readonly downs: number;
}

/** What is known when an attempt has failed. */
export interface FailedAttempt {
  readonly kind: FailedAttemptKind;
  /** That it was sent to. */
  readonly route: RouteState;
  readonly sending: Sending;
  readonly othersSucceeded: boolean;
  /** No other line was in flight meanwhile. */
  readonly isAlone: boolean;
  /** The upstream answered that it is not available, so it did not go down just then. */
  readonly isRefusal: boolean;
  /** By the dispatcher's clock, in milliseconds. */
  readonly now: number;
  readonly patienceMs: number;
}

/** The failures from when an upstream was last known to be well up to the verdict on them. */
export interface Doubt {
  /** What has become of it, so far. */
  readonly wentDown: boolean;
}

/** What is known of a route that a line takes; changes while the line is on its way. */
export interface RouteState {
  /** Nothing is sent but trials. */
  readonly isOpen: boolean;
  /** How often the upstream was found to be down, so far. */
  readonly downs: number;
  readonly doubt: Doubt;
  /** Since when the route has not been held, by the dispatcher's clock; the present while it is. */
  readonly upSince: number;
}

/** An attempt that the upstream did not answer: what it means is known before the next one is sent. */
interface Unanswered extends FailedAttempt {
  /** If the upstream stays up. */
  readonly counts: boolean;
  /** That it was part of. */
  readonly doubt: Doubt;
}

/** So many downs in a row with a line in flight are no coincidence. */
const downsOfSuspect = 2;

/**
 * A request line on its way, with what its attempts have come to so far, by whichever route.
 *
 * An attempt that got no answer says nothing about the line if its upstream went down with it or
 * thereafter: an outage. Only a line that was alone in flight is taken to be the reason. Patience
 * starts anew whenever the upstream has come back, since it may have to load its model.
 */
export class Line {
  /** Successes so far when the line's latest attempt was judged, or its first one sent. */
  successesSeen: number | undefined;
  private failed: number;
  private counted: LineAttempts['counted'];
  private downsInRow: number;
  /** Since when the line has failed, whatever its upstream did meanwhile. */
  private failingSince: number | undefined;
  private last: Unanswered | undefined;

  constructor(
    readonly request: LineRequest,
    /** That of the latest attempt; at first any that it may take. */
    private route: RouteState,
    now: number,
  ) {
    const { failed, counted, failingMs, downs = 0 } = request.earlierAttempts ?? noAttempts;
    this.failed = failed;
    this.counted = counted;
    this.downsInRow = downs;
    this.failingSince = failed === 0 ? undefined : now - failingMs;
  }

  /** Failed attempts, counted or not. */
  get failures(): number {
    return this.failed;
  }

  /** Whether the upstream may go down because of the line. */
  get isSuspect(): boolean {
    return this.downsWith(this.last?.route.downs) >= downsOfSuspect;
  }

  /** Records a failed attempt; returns whether it was the last. */
  fail(attempt: FailedAttempt): boolean {
    const { kind, route, sending, now, othersSucceeded } = attempt;
    this.route = route;
    this.failed += 1;
    this.failingSince ??= now;
    // A server that stops may cut its requests while its checks still pass: that it has gone down with
    // them is found out by the attempt that does not reach it.
    if (kind !== 'unreachable' || sending.isTrial) {
      const isSameRoute = this.last?.route === route;
      this.judgeLast(isSameRoute ? sending.downs : this.last?.route.downs);
    }
    const patienceIsOver = this.failingMs(now) >= attempt.patienceMs;
    const counts = attemptCounts(kind, { othersSucceeded, patienceIsOver });
    if (kind !== 'unavailable') {
      if (kind !== 'unreachable') {
        this.downsInRow = 0;
      }
      this.count(kind, counts);
      return this.hasCounted(kind, 0);
    }
    if (sending.isTrial) {
      return false;
    }
    const { downs, doubt } = route;
    this.last = { ...attempt, counts, doubt };
    const wentDown = downs !== sending.downs;
    return this.hasCounted(kind, counts && !wentDown ? 1 : 0);
  }

  attempts(now: number): LineAttempts {
    this.judgeLast(this.last?.route.downs);
    const { failed, counted, downsInRow } = this;
    return {
      failed,
      counted,
      failingMs: this.failingMs(now),
      ...(downsInRow > 0 && { downs: downsInRow }),
    };
  }

  /** @param downs of its route, since when the line was not with it any more. */
  private judgeLast(downs: number | undefined): void {
    const { last } = this;
    if (last === undefined) {
      return;
    }
    this.downsInRow = this.downsWith(downs);
    this.last = undefined;
    const wentDown = downs !== last.sending.downs;
    this.count('unavailable', wentDown ? last.isAlone && mayBeReason(last) : last.counts);
  }

  private failingMs(now: number): number {
    return now - Math.max(this.failingSince ?? now, this.route.upSince);
  }

  private downsWith(downs: number | undefined): number {
    const { last, downsInRow } = this;
    if (last === undefined) {
      return downsInRow;
    }
    if (downs !== last.sending.downs && mayBeReason(last)) {
      return downsInRow + 1;
    }
    return last.isRefusal ? downsInRow : 0;
  }

  private count(kind: FailedAttemptKind, counts: boolean): void {
    if (counts) {
      this.counted = { ...this.counted, [kind]: (this.counted[kind] ?? 0) + 1 };
    }
  }

  private hasCounted(kind: FailedAttemptKind, more: number): boolean {
    return (this.counted[kind] ?? 0) + more >= attemptPolicies[kind].attemptsMax;
  }
}

/**
 * Of an upstream that went down after the attempt. One that is still loading its model refuses lines
 * and may then be taken down by another, while these wait for their next attempt.
 */
function mayBeReason({ isRefusal, doubt }: Unanswered): boolean {
  return !isRefusal || doubt.wentDown;
}

const noAttempts: LineAttempts = { failed: 0, counted: {}, failingMs: 0 };
