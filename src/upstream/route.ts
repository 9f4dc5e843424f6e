import { CircuitBreaker, type CircuitBreakerOptions } from './circuit-breaker';

/**
 * One model on one upstream. Faults are a matter of the route and not of the whole upstream: a
 * model that is not loaded holds up its own batches only.
 */
export class Route {
  readonly breaker: CircuitBreaker;
  private succeeded = 0;

  constructor(options: CircuitBreakerOptions) {
    this.breaker = new CircuitBreaker(options);
  }

  /** Answers with 2xx so far. */
  get successes(): number {
    return this.succeeded;
  }

  onSuccess(): void {
    this.succeeded += 1;
  }
}
