/**
 * Keeps an outage, or a flood of 500s, from becoming a storm: while attempts fail, a fifth of the
 * requests in flight at most are retries, as in Envoy's retry budget. Each success allows for another
 * one, so that after an outage all is as before within a few rounds. Who gets nothing waits.
 */
const share = 0.2;
/** What hangs may hang beside others, lest a few hundred such requests take days (ADR 7). */
const retriesMin = 16;
/** Beyond the share, in flight. */
const creditMax = 1_024;

export class RetryBudget {
  private inFlight = 0;
  private credit = 0;

  /** Whether a line that has failed may be sent to an upstream that is sent so many at a time. */
  admits(inFlightLimit: number): boolean {
    return this.inFlight < Math.max(retriesMin, share * inFlightLimit) + this.credit;
  }

  onSent(isRetry: boolean): void {
    if (isRetry) {
      this.inFlight += 1;
    }
  }

  onEnd(isRetry: boolean, isSuccess: boolean): void {
    if (isRetry) {
      this.inFlight -= 1;
    }
    if (isSuccess) {
      this.credit = Math.min(creditMax, this.credit + (isRetry ? 1 : share));
    } else if (isRetry) {
      this.credit = Math.max(0, this.credit - 1);
    }
  }
}
