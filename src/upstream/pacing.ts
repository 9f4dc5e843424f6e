import { backoffMs } from '../domain/retry';
import type { Attempt } from './attempt';
import type { Clock } from './clock';
import type { EngineLoad } from './engine-load';
import { InFlightLimit, type SentRequest, type Traffic } from './in-flight-limit';

export interface PacingOptions {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly maxInFlight: number;
  /** More may be sent: a pause is over, or the limit has risen. */
  onResume(): void;
}

/**
 * How fast an upstream takes requests: so many at a time, and none while it has asked for a pause.
 * A rate limit concerns everybody, because the next line would be refused as well.
 */
export class Pacing {
  private readonly inFlightLimit: InFlightLimit;
  private pause: { readonly until: number; readonly cancel: () => void } | undefined;
  /** Rounds of overload without a success in between. */
  private refusals = 0;

  constructor(private readonly options: PacingOptions) {
    this.inFlightLimit = new InFlightLimit({
      clock: options.clock,
      max: options.maxInFlight,
      onRaise: () => {
        options.onResume();
      },
    });
  }

  /** The upstream has asked for a pause. */
  get isPaused(): boolean {
    return this.pause !== undefined;
  }

  maySend(inFlight: number): boolean {
    return !this.isPaused && inFlight < this.inFlightLimit.current;
  }

  /** Requests at a time. */
  get limit(): number {
    return this.inFlightLimit.current;
  }

  /** See {@link InFlightLimit.soon}. */
  get limitSoon(): number {
    return this.inFlightLimit.soon;
  }

  /** A request was answered with 2xx; for its work see `workOf`. */
  onSuccess(request: SentRequest, work: number, traffic: Traffic): void {
    this.refusals = 0;
    this.inFlightLimit.onSuccess(request, work, traffic);
  }

  /** See {@link InFlightLimit.onLoad}. */
  onLoad(load: EngineLoad, traffic: Traffic): boolean {
    return this.inFlightLimit.onLoad(load, traffic);
  }

  /** An attempt failed because the upstream has too much to do. */
  onCongestion(attempt: Attempt, number: number, traffic: Traffic): void {
    const isOverload = attempt.timedOut
      ? this.inFlightLimit.onTimeout(number, traffic)
      : this.inFlightLimit.onRefusal(number, traffic, attempt.retryAfterMs);
    if (attempt.retryAfterMs !== undefined) {
      this.pauseFor(attempt.retryAfterMs, traffic);
    } else if (attempt.kind === 'rate_limited' && isOverload) {
      this.refusals += 1;
      this.pauseFor(backoffMs(this.refusals, this.options.random()), traffic);
    }
  }

  /** Stops the timers. */
  close(): void {
    this.inFlightLimit.close();
    this.pause?.cancel();
  }

  /** Somewhat longer than asked: other processes were told the same. */
  private pauseFor(askedMs: number, traffic: Traffic): void {
    const { clock, random } = this.options;
    const now = clock.now();
    if (askedMs === 0 || (this.pause !== undefined && this.pause.until >= now + askedMs)) {
      return;
    }
    this.pause?.cancel();
    const delayMs = askedMs * (1 + random() / 10);
    const cancel = clock.after(delayMs, () => {
      this.pause = undefined;
      this.inFlightLimit.resume(traffic.inFlight);
      this.options.onResume();
    });
    this.pause = { until: now + delayMs, cancel };
  }
}
