/** What any server that batches requests can have in hand at a time. */
const silentLimit = 16;

/**
 * How many requests an upstream gets at a time: the configured maximum until it says that this is
 * too much, then half as many for each round of refusals, growing back with its answers — quickly
 * to half of what was too much, one for each full round above that (as TCP does, RFC 5681).
 * Without this, an upstream with a small rate limit would refuse the same lines again and again
 * until they had no attempt left.
 */
export class InFlightLimit {
  private limit: number;
  private threshold: number;
  private lastShrinkAt = -1;
  private hasSucceeded = false;

  constructor(private readonly max: number) {
    this.limit = max;
    this.threshold = max;
  }

  /** At least 1. */
  get current(): number {
    return Math.floor(this.limit);
  }

  onSuccess(): void {
    this.hasSucceeded = true;
    if (this.limit < this.max) {
      const step = this.limit < this.threshold ? 1 : 1 / this.limit;
      this.limit = Math.min(this.max, this.limit + step);
    }
  }

  /**
   * Refusals of requests that were sent before the limit last shrank say nothing about the smaller
   * one. Returns whether this one does.
   *
   * @param sentAt number of the refused request, in the order of sending.
   * @param sentCount requests sent so far.
   */
  onCongestion(sentAt: number, sentCount: number): boolean {
    if (sentAt <= this.lastShrinkAt) {
      return false;
    }
    this.lastShrinkAt = sentCount;
    this.threshold = Math.max(1, this.limit / 2);
    this.limit = this.threshold;
    this.hasSucceeded = false;
    return true;
  }

  /**
   * The same for a request that was not answered in time. If none at all was answered since the limit
   * last shrank, it may be the requests themselves: the limit then does not fall below 16, lest a
   * hundred requests that never end wait for each other, one by one.
   */
  onTimeout(sentAt: number, sentCount: number): boolean {
    const { hasSucceeded } = this;
    const isNews = this.onCongestion(sentAt, sentCount);
    if (isNews && !hasSucceeded) {
      this.limit = Math.max(this.limit, Math.min(this.max, silentLimit));
    }
    return isNews;
  }
}
