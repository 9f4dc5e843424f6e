/**
 * Makes one call for all who wait for one, by key; each call begins after it was asked for. Those who
 * wait for one that fails fail with it: nobody waits for a server that is down longer than one call does.
 */
export class SharedCalls<K, T> {
  private readonly running = new Map<K, Promise<unknown>>();
  private readonly waiting = new Map<K, Promise<T>>();

  /** What a call returns or throws that begins from now on. */
  async next(key: K, call: () => Promise<T>): Promise<T> {
    const waiting = this.waiting.get(key) ?? this.callAfterRunning(key, call);
    this.waiting.set(key, waiting);
    return await waiting;
  }

  private async callAfterRunning(key: K, call: () => Promise<T>): Promise<T> {
    try {
      await this.running.get(key);
    } finally {
      this.waiting.delete(key);
    }
    const running = call();
    this.running.set(key, running);
    try {
      return await running;
    } finally {
      if (this.running.get(key) === running) {
        this.running.delete(key);
      }
    }
  }
}
