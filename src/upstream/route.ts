import { CircuitBreaker, type CircuitBreakerOptions } from './circuit-breaker';
import type { Company, Isolation } from './isolation';
import type { Line, Sending } from './line';

/** An attempt of a route's line, when it is sent. */
export interface RouteSending extends Sending {
  readonly company: Company;
}

/** Answers with 2xx so far, of all routes of a process: so they are in one order. */
export interface Successes {
  count: number;
}

/**
 * One model on one upstream. Faults are a matter of the route and not of the whole upstream: a
 * model that is not loaded holds up its own batches only.
 */
export class Route {
  readonly breaker: CircuitBreaker;
  private ended = 0;
  private lastSuccess = 0;
  private lastSuccessWhenHeld = 0;

  constructor(
    private readonly options: CircuitBreakerOptions,
    /** That of the upstream: whatever takes it down, all its routes are concerned. */
    readonly isolation: Isolation,
    private readonly allSuccesses: Successes,
  ) {
    this.breaker = new CircuitBreaker({
      ...options,
      onClose: () => {
        this.lastSuccessWhenHeld = this.lastSuccess;
        options.onClose();
      },
    });
  }

  /** Outcomes of lines so far. */
  get outcomes(): number {
    return this.ended;
  }

  /** Answers with 2xx so far, of this and all other routes. */
  get successes(): number {
    return this.allSuccesses.count;
  }

  /**
   * Whether one of the successes since there were so many is of this route, and since it was last held:
   * answers from before an outage say nothing about an upstream that is still loading its model.
   */
  hasSucceededSince(successes: number): boolean {
    return this.lastSuccess > Math.max(successes, this.lastSuccessWhenHeld);
  }

  onSent(line: Line): RouteSending {
    const company = this.isolation.onSent(line, line.isSuspect);
    return { isTrial: this.breaker.onSent(), downs: this.breaker.downs, company };
  }

  onOutcome(): void {
    this.ended += 1;
  }

  onSuccess(): void {
    const isFirst = this.lastSuccess === 0;
    this.allSuccesses.count += 1;
    this.lastSuccess = this.allSuccesses.count;
    if (isFirst) {
      this.options.health.verify();
    }
  }
}
