import type { Clock } from '../../../src/upstream/clock';
import { Heap } from './heap';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
  isCancelled: boolean;
}

/** Time that passes when the test says so, for many timers at a time. */
export class EventClock implements Clock {
  private time = 0;
  private readonly timers = new Heap<Timer>(({ at }) => at);

  now(): number {
    return this.time;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.time + delayMs, callback, isCancelled: false };
    this.timers.add(timer);
    return () => {
      timer.isCancelled = true;
    };
  }

  advance(ms: number): void {
    const until = this.time + ms;
    for (let next = this.timers.first; next !== undefined && next.at <= until;) {
      this.timers.removeFirst();
      if (!next.isCancelled) {
        this.time = next.at;
        next.callback();
      }
      next = this.timers.first;
    }
    this.time = until;
  }
}
