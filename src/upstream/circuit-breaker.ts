/**
 * Holds the lines of a route back while its upstream is down.
 *
 * Each failure puts the upstream in doubt, until another line is answered or a health check says that
 * it is well. Lines that have failed wait for that, so that their next failure says something about
 * them; ten failures in a row make all others wait as well. A server that is down is looked at after
 * 1 s, and ever more rarely down to every 30 s; each time one line may try as well, in case the check
 * is wrong. A check that is passed, or any answer, closes the breaker. A fault of the route — a wrong
 * key, a model that is not there — cannot be seen by a check: after ten in a row it is for one line at
 * a time to try.
 *
 *   closed ──a check says down, ten faults of the route──► open ─┐ after a delay:
 *     ▲                                                    │ ▲   │ a check, a trial
 *     └──────── a check says well, any answer ─────────────┘ └───┘
 */
import type { Clock } from './clock';
import type { HealthCheck } from './health-check';
import type { Doubt, RouteState } from './line';

const failuresToHold = 10;
/** An upstream that refuses many lines is not asked for its health each time. */
const checkIntervalMs = 250;
const delayMsMin = 1_000;
const delayMsMax = 30_000;

export interface CircuitBreakerOptions {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly health: HealthCheck;
  /** `cause` is that of the last failure. */
  onOpen(cause: number | string): void;
  onClose(): void;
  /** Ten requests in a row were not answered by an upstream that is well otherwise. */
  onUnanswered(cause: number | string): void;
  /** A line that was not admitted may be now. */
  onAdmit(): void;
}

interface BreakerFailure {
  readonly isTrial: boolean;
  /** The upstream answered, but does not serve the route. */
  readonly isRouteFault: boolean;
}

export class CircuitBreaker implements RouteState {
  private state: 'closed' | 'open' = 'closed';
  /** In a row, since the upstream was last known to be well. */
  private failures = 0;
  private faults = 0;
  /** Failures in a row, since the last answer. */
  private unanswered = 0;
  private check: 'none' | 'waiting' | 'running' = 'none';
  private lastCheckAt = -Infinity;
  /** Something has failed since the check began. */
  private isInDoubt = false;
  private trial: 'none' | 'due' | 'sent' = 'none';
  /** While open: whether because of the route, and so not of the upstream. */
  private isFaulty = false;
  private delays = 0;
  private timesDown = 0;
  private closedAt = -Infinity;
  private currentDoubt = { wentDown: false };
  /** Of the last failure. */
  private cause: number | string = 'none';
  private cancelTimer: (() => void) | undefined;
  private readonly verdictWaiters: (() => void)[] = [];

  constructor(private readonly options: CircuitBreakerOptions) {}

  get isOpen(): boolean {
    return this.state === 'open';
  }

  get downs(): number {
    return this.timesDown;
  }

  get doubt(): Doubt {
    return this.currentDoubt;
  }

  get upSince(): number {
    return this.isOpen ? this.options.clock.now() : this.closedAt;
  }

  /** Whether it is known what the failures so far have come from. */
  get hasVerdict(): boolean {
    return this.isOpen || this.check === 'none';
  }

  /** Whether a line may be sent now. */
  admits(): boolean {
    return this.isOpen ? this.trial === 'due' : this.failures < failuresToHold;
  }

  /** Whether a line that has failed may be sent again now. */
  admitsRetry(): boolean {
    return this.isOpen ? this.trial === 'due' : this.hasVerdict;
  }

  /** Calls back once it is known what the failures so far have come from, at once if it is. */
  onVerdict(callback: () => void): void {
    if (this.hasVerdict) {
      callback();
    } else {
      this.verdictWaiters.push(callback);
    }
  }

  /** A line is sent; returns whether it is a trial, to be told with its end. */
  onSent(): boolean {
    if (this.trial !== 'due') {
      return false;
    }
    this.trial = 'sent';
    return true;
  }

  onAnswer(): void {
    this.failures = 0;
    this.faults = 0;
    this.unanswered = 0;
    if (this.isOpen) {
      const wasDown = !this.isFaulty;
      this.recover();
      if (wasDown) {
        this.options.health.verify();
      }
    } else if (this.check !== 'none') {
      this.recover();
    }
  }

  onFailure(cause: number | string, { isTrial, isRouteFault }: BreakerFailure): void {
    this.cause = cause;
    if (this.isOpen) {
      if (isTrial && this.trial === 'sent') {
        this.onTrialFailed(isRouteFault);
      }
    } else if (isRouteFault) {
      this.faults += 1;
      if (this.faults >= failuresToHold) {
        this.open({ isFaulty: true });
      }
    } else {
      this.failures += 1;
      this.unanswered += 1;
      this.isInDoubt = true;
      if (this.check === 'none') {
        this.startCheck();
      }
    }
  }

  /** A request was given up before anything was known of its fate. */
  onGivenUp(isTrial: boolean): void {
    if (isTrial && this.trial === 'sent') {
      this.admitTrial();
    }
  }

  /** Stops the timer and the check. */
  close(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.options.health.stop();
    this.check = 'none';
    for (const tell of this.verdictWaiters.splice(0)) {
      tell();
    }
  }

  private startCheck(): void {
    const { clock } = this.options;
    const waitMs = this.lastCheckAt + checkIntervalMs - clock.now();
    if (waitMs <= 0) {
      this.look();
    } else {
      this.check = 'waiting';
      this.cancelTimer = clock.after(waitMs, this.look);
    }
  }

  private readonly look = (): void => {
    this.cancelTimer = undefined;
    this.check = 'running';
    this.lastCheckAt = this.options.clock.now();
    this.isInDoubt = false;
    this.options.health.start((isWell) => {
      this.check = 'none';
      if (isWell) {
        this.onWell();
      } else {
        this.onDown();
      }
    });
  };

  private onWell(): void {
    if (this.isOpen || !this.isInDoubt) {
      this.recover();
    } else {
      this.failures = 0;
      this.startCheck();
      this.options.onAdmit();
    }
    if (this.unanswered >= failuresToHold) {
      this.unanswered = -Infinity;
      this.options.onUnanswered(this.cause);
    }
  }

  private onDown(): void {
    if (!this.isOpen) {
      this.timesDown += 1;
      this.currentDoubt.wentDown = true;
      this.open({ isFaulty: false });
    } else {
      this.wait();
      if (this.trial === 'none') {
        this.admitTrial();
      }
    }
  }

  private open({ isFaulty }: { readonly isFaulty: boolean }): void {
    this.state = 'open';
    this.isFaulty = isFaulty;
    this.delays = 0;
    this.options.onOpen(this.cause);
    this.wait();
  }

  /** The trial shows what it is that the route lacks; the checks of an upstream that is down go on. */
  private onTrialFailed(isRouteFault: boolean): void {
    this.trial = 'none';
    if (this.isFaulty || isRouteFault) {
      this.isFaulty = isRouteFault;
      this.wait();
    }
  }

  private wait(): void {
    this.close();
    const delayMs = Math.min(delayMsMax, delayMsMin * 2 ** Math.min(this.delays, 16));
    this.delays += 1;
    this.cancelTimer = this.options.clock.after(delayMs * (0.5 + this.options.random() / 2), () => {
      this.cancelTimer = undefined;
      if (this.isFaulty) {
        this.admitTrial();
      } else {
        this.look();
      }
    });
  }

  private admitTrial(): void {
    this.trial = 'due';
    this.options.onAdmit();
  }

  private recover(): void {
    const wasOpen = this.isOpen;
    this.close();
    this.state = 'closed';
    this.currentDoubt = { wentDown: false };
    this.failures = 0;
    this.trial = 'none';
    if (wasOpen) {
      this.unanswered = 0;
      this.closedAt = this.options.clock.now();
      this.options.onClose();
    }
    this.options.onAdmit();
  }
}
