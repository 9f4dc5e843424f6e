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
  private succeeded = 0;

  constructor(
    private readonly options: CircuitBreakerOptions,
    /** That of the upstream: whatever takes it down, all its routes are concerned. */
    readonly isolation: Isolation,
  ) {
    this.breaker = new CircuitBreaker(options);
  }

  /** Answers with 2xx so far. */
  get successes(): number {
    return this.succeeded;
  }

  onSent(line: Line): RouteSending {
    const company = this.isolation.onSent(line, line.isSuspect);
    return { isTrial: this.breaker.onSent(), downs: this.breaker.downs, company };
  }

  onSuccess(): void {
    this.succeeded += 1;
    if (this.succeeded === 1) {
      this.options.health.verify();
    }
  }
}
