import { CircuitBreaker, type CircuitBreakerOptions } from './circuit-breaker';
import type { Company, Isolation } from './isolation';
import type { Line, Sending } from './line';

/** An attempt of a route's line, when it is sent. */
export interface RouteSending extends Sending {
  readonly company: Company;
}

/**
 * One model on one upstream. Faults are a matter of the route and not of the whole upstream: a
 * model that is not loaded holds up its own batches only.
 */
export class Route {
  readonly breaker: CircuitBreaker;
  private ended = 0;
  private succeeded = 0;
  private succeededWhenHeld = 0;

  constructor(
    private readonly options: CircuitBreakerOptions,
    /** That of the upstream: whatever takes it down, all its routes are concerned. */
    readonly isolation: Isolation,
  ) {
    this.breaker = new CircuitBreaker({
      ...options,
      onClose: () => {
        this.succeededWhenHeld = this.succeeded;
        options.onClose();
      },
    });
  }

  /** Outcomes of lines so far. */
  get outcomes(): number {
    return this.ended;
  }

  /** Answers with 2xx so far. */
  get successes(): number {
    return this.succeeded;
  }

  /**
   * Whether there have been more successes than that, and since the route was last held: answers
   * from before an outage say nothing about an upstream that is still loading its model.
   */
  hasSucceededSince(successes: number): boolean {
    return this.succeeded > Math.max(successes, this.succeededWhenHeld);
  }

  onSent(line: Line): RouteSending {
    const company = this.isolation.onSent(line, line.isSuspect);
    return { isTrial: this.breaker.onSent(), downs: this.breaker.downs, company };
  }

  onOutcome(): void {
    this.ended += 1;
  }

  onSuccess(): void {
    this.succeeded += 1;
    if (this.succeeded === 1) {
      this.options.health.verify();
    }
  }
}
