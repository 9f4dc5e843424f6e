/** Runs tasks, at most some at a time; after the first failure it starts no more. */
export class TaskGroup {
  private readonly running = new Set<Promise<void>>();
  private failure: { readonly error: unknown } | undefined;

  constructor(
    private readonly runningMax: number,
    private readonly onFailure?: (error: unknown) => void,
  ) {}

  /**
   * Starts a task as soon as there is room; does not wait for its end.
   *
   * @throws the first failure of the tasks before.
   */
  async start(task: () => Promise<void>): Promise<void> {
    while (this.running.size >= this.runningMax) {
      await Promise.race(this.running);
    }
    this.throwFailure();
    const run = this.run(task).finally(() => this.running.delete(run));
    this.running.add(run);
  }

  /** Waits for every task. @throws the first failure. */
  async finish(): Promise<void> {
    await this.settle();
    this.throwFailure();
  }

  /** Waits for every task, whether it fails or not. */
  async settle(): Promise<void> {
    await Promise.all(this.running);
  }

  private async run(task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      if (this.failure === undefined) {
        this.failure = { error };
        this.onFailure?.(error);
      }
    }
  }

  private throwFailure(): void {
    if (this.failure !== undefined) {
      throw this.failure.error;
    }
  }
}
