/** Notices calls that wait for a server for longer than a moment. */

export interface OutageListener {
  /** Called once some call has failed for seconds; `cause` is what its latest attempt ended with. */
  onOutage(cause: unknown): void;
  /** Called when the last of the calls that had to wait has succeeded. */
  onRecovery(outageMs: number): void;
}

/** Restarts of a server pass unnoticed. */
const outageMsMin = 3_000;

interface CallState {
  failingSince: number | undefined;
  isWaiting: boolean;
}

export class OutageWatch {
  private waitingCount = 0;
  private outageStart = 0;

  constructor(private readonly listener: OutageListener) {}

  /** Runs a call; whoever makes its attempts tells of those that fail. */
  async during<T>(call: (onFailure: (cause: unknown) => void) => Promise<T>): Promise<T> {
    const state: CallState = { failingSince: undefined, isWaiting: false };
    try {
      const result = await call((cause) => {
        this.onFailure(state, cause);
      });
      if (state.isWaiting && this.waitingCount === 1) {
        this.listener.onRecovery(performance.now() - this.outageStart);
      }
      return result;
    } finally {
      this.waitingCount -= state.isWaiting ? 1 : 0;
    }
  }

  private onFailure(state: CallState, cause: unknown): void {
    const now = performance.now();
    state.failingSince ??= now;
    if (!state.isWaiting && now - state.failingSince >= outageMsMin) {
      state.isWaiting = true;
      this.begin(state.failingSince, cause);
    }
  }

  private begin(failingSince: number, cause: unknown): void {
    if (this.waitingCount === 0) {
      this.outageStart = failingSince;
      this.listener.onOutage(cause);
    }
    this.waitingCount += 1;
  }
}
