/** Notices that a server does not do what it should for longer than a moment, and that it does again. */

export interface OutageListener {
  /** Called once an outage has lasted some seconds; `cause` is what the latest call ended with. */
  onOutage(cause: unknown): void;
  /** Called at the first call that succeeds after it. */
  onRecovery(outageMs: number): void;
}

/** Restarts of a server pass unnoticed. */
const outageMsMin = 3_000;

export class OutageWatch {
  private failingSince: number | undefined;
  private isTold = false;

  constructor(private readonly listener: OutageListener) {}

  onFailure(cause: unknown): void {
    const now = performance.now();
    this.failingSince ??= now;
    if (!this.isTold && now - this.failingSince >= outageMsMin) {
      this.isTold = true;
      this.listener.onOutage(cause);
    }
  }

  onSuccess(): void {
    if (this.isTold && this.failingSince !== undefined) {
      this.listener.onRecovery(performance.now() - this.failingSince);
    }
    this.failingSince = undefined;
    this.isTold = false;
  }
}
