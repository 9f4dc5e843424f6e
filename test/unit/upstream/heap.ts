import type { Clock } from '../../../src/upstream/clock';

/** A binary heap: the least first. */
export class Heap<T> {
  private readonly items: T[] = [];

  constructor(private readonly keyOf: (item: T) => number) {}

  get size(): number {
    return this.items.length;
  }

  get first(): T | undefined {
    return this.items[0];
  }

  add(item: T): void {
    this.items.push(item);
    let at = this.items.length - 1;
    while (at > 0 && this.keyAt(at) < this.keyAt((at - 1) >> 1)) {
      this.swap(at, (at - 1) >> 1);
      at = (at - 1) >> 1;
    }
  }

  removeFirst(): void {
    this.swap(0, this.items.length - 1);
    this.items.pop();
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const least = this.keyAt(left + 1) < this.keyAt(left) ? left + 1 : left;
      if (this.keyAt(least) >= this.keyAt(at)) {
        return;
      }
      this.swap(at, least);
      at = least;
    }
  }

  private keyAt(index: number): number {
    const item = this.items[index];
    return item === undefined ? Infinity : this.keyOf(item);
  }

  private swap(one: number, other: number): void {
    const [first, second] = [this.items[one], this.items[other]];
    if (first !== undefined && second !== undefined) {
      this.items[one] = second;
      this.items[other] = first;
    }
  }
}

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
