/** Makes one call for all who wait for one, by key; each call begins after it was asked for. */
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
    await this.running.get(key);
    this.waiting.delete(key);
    const running = call();
    const settled = running.then(
      () => undefined,
      () => undefined,
    );
    this.running.set(key, settled);
    try {
      return await running;
    } finally {
      if (this.running.get(key) === settled) {
        this.running.delete(key);
      }
    }
  }
}
