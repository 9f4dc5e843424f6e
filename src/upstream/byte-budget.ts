/**
 * Bytes that a process may hold at a time, shared by all its slices. Whoever takes in bytes waits
 * for room first and then adds what it took, however much that is: the budget is overdrawn by at
 * most one piece for each taker, and a piece larger than the whole budget still gets through.
 */
export class ByteBudget {
  private held = 0;
  private waiting: (() => void)[] = [];

  constructor(private readonly bytesMax: number) {}

  get bytesHeld(): number {
    return this.held;
  }

  hasRoom(): boolean {
    return this.held < this.bytesMax;
  }

  isHalfUsed(): boolean {
    return this.held >= this.bytesMax / 2;
  }

  add(bytes: number): void {
    this.held += bytes;
  }

  /** Gives back bytes that were added. */
  remove(bytes: number): void {
    this.held -= bytes;
    if (this.hasRoom() && this.waiting.length > 0) {
      const woken = this.waiting;
      this.waiting = [];
      for (const wake of woken) {
        wake();
      }
    }
  }

  /** Resolves when there is room; somebody else may be quicker to take it, so ask again. */
  async waitForRoom(): Promise<void> {
    if (!this.hasRoom()) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }
}
