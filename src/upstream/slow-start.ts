/**
 * Tells when an upstream that nobody knows yet has enough to do, as TCP's slow start does: while it is
 * given more and more, the time that it takes for a unit of work stays about the same, until requests
 * wait for others to end.
 */
const windowSize = 16;
/** A server that batches gets somewhat slower with each request, and more is worth it nevertheless. */
const slowdownMax = 1.5;

export class SlowStart {
  private begunAt = Infinity;
  private workDone = 0;
  private count = 0;
  private latencyMs = 0;
  private work = 0;
  /** Milliseconds for a unit of work. */
  private latest = 0;
  private least = Infinity;

  /** A request was answered; for its work see `workOf`. */
  add(startedAt: number, latencyMs: number, work: number): void {
    this.begunAt = Math.min(this.begunAt, startedAt);
    this.workDone += work;
    this.work += work;
    this.latencyMs += latencyMs;
    this.count += 1;
    if (this.count === windowSize) {
      this.latest = this.latencyMs / this.work;
      this.least = Math.min(this.least, this.latest);
      this.count = this.latencyMs = this.work = 0;
    }
  }

  /** There were enough answers to compare others with. */
  get isKnown(): boolean {
    return this.least < Infinity;
  }

  /** As far as the latest answers tell, which are few. */
  get isSlower(): boolean {
    return this.latencyMs > this.work * this.least * slowdownMax;
  }

  get isOver(): boolean {
    return this.latest > this.least * slowdownMax;
  }

  /** Requests that the upstream has worked on at a time until `now`, by Little's law. */
  workedOn(now: number): number {
    return (this.workDone * this.least) / (now - this.begunAt);
  }
}
