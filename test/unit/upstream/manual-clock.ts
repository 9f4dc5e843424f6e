import type { Clock } from '../../../src/upstream/clock';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** Time that passes when the test says so. */
export class ManualClock implements Clock {
  private time = 0;
  /** In the order in which they were set. */
  private readonly timers = new Set<Timer>();

  now(): number {
    return this.time;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.time + delayMs, callback };
    this.timers.add(timer);
    return () => {
      this.timers.delete(timer);
    };
  }

  get timerCount(): number {
    return this.timers.size;
  }

  advance(ms: number): void {
    const until = this.time + ms;
    for (let next = this.next(); next !== undefined && next.at <= until; next = this.next()) {
      this.fire(next);
    }
    this.time = until;
  }

  /** Lets time pass up to the next timer; returns whether there was one. */
  advanceToNext(): boolean {
    const next = this.next();
    if (next !== undefined) {
      this.fire(next);
    }
    return next !== undefined;
  }

  private fire(timer: Timer): void {
    this.timers.delete(timer);
    this.time = timer.at;
    timer.callback();
  }

  private next(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.timers) {
      if (first === undefined || timer.at < first.at) {
        first = timer;
      }
    }
    return first;
  }
}
