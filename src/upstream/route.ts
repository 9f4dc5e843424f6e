import { CircuitBreaker, type CircuitBreakerOptions } from './circuit-breaker';
import { Isolation } from './isolation';
import type { Line, Sending } from './line';

/**
 * One model on one upstream. Faults are a matter of the route and not of the whole upstream: a
 * model that is not loaded holds up its own batches only.
 */
export class Route {
  readonly breaker: CircuitBreaker;
  readonly isolation = new Isolation();
  private succeeded = 0;
  private sent = 0;

  constructor(options: CircuitBreakerOptions) {
    this.breaker = new CircuitBreaker(options);
  }

  /** Answers with 2xx so far. */
  get successes(): number {
    return this.succeeded;
  }

  onSent(line: Line): Sending {
    const { downs } = this.breaker;
    const isSuspect = line.isSuspect(downs);
    const isFirst = this.isolation.inFlight === 0;
    this.isolation.onSent(line, isSuspect);
    this.sent += 1;
    return { number: this.sent, isTrial: this.breaker.onSent(), isSuspect, isFirst, downs };
  }

  /** Whether nothing else was in flight for as long as the attempt was, up to now. */
  isAlone({ isFirst, number }: Sending): boolean {
    return isFirst && number === this.sent;
  }

  onSuccess(): void {
    this.succeeded += 1;
  }
}
