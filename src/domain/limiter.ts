/** Lets at most `limit` pieces of work run at a time; the others wait in the order of their calls. */
export class Limiter {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly limit: number) {}

  /** Whether nobody has to wait. */
  get hasRoom(): boolean {
    return this.running < this.limit;
  }

  /**
   * Resolves when it is the caller's turn, to a function that ends the turn; also when the signal is
   * aborted, for callers that then have next to nothing to do.
   */
  async acquire(signal: AbortSignal): Promise<() => void> {
    if (this.hasRoom) {
      this.running += 1;
    } else if (!(await this.waitForTurn(signal))) {
      return () => undefined;
    }
    return () => {
      this.release();
    };
  }

  private async waitForTurn(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) {
      return false;
    }
    return await new Promise((resolve) => {
      const onTurn = (): void => {
        signal.removeEventListener('abort', onAbort);
        resolve(true);
      };
      const onAbort = (): void => {
        this.waiting.splice(this.waiting.indexOf(onTurn), 1);
        resolve(false);
      };
      this.waiting.push(onTurn);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  private release(): void {
    const next = this.waiting.shift();
    if (next === undefined) {
      this.running -= 1;
    } else {
      next();
    }
  }
}
