import type { Clock } from './clock';
import type { Connection, Exchange } from './exchange';

const sweepIntervalMsMax = 1_000;

/**
 * The connections to one upstream. The one that was used last is used next, so that only as many
 * stay open as are needed. One timer for all of them sees to the time that a request may take:
 * a timer for each would cost more than sending the request.
 */
export class ConnectionPool {
  private readonly connections: Connection[] = [];
  private readonly free: Connection[] = [];
  private cancelSweep: (() => void) | undefined;

  constructor(
    private readonly connect: () => Connection,
    private readonly clock: Clock,
    private readonly requestTimeoutMs: number,
  ) {}

  acquire(): Connection {
    this.cancelSweep ??= this.planSweep();
    const connection = this.free.pop();
    if (connection !== undefined) {
      return connection;
    }
    const added = this.connect();
    this.connections.push(added);
    return added;
  }

  release(connection: Connection): void {
    this.free.push(connection);
  }

  abandon(isWanted: (exchange: Exchange) => boolean): void {
    for (const { exchange } of this.connections) {
      if (exchange !== undefined && !isWanted(exchange)) {
        exchange.abandon();
      }
    }
  }

  async close(): Promise<void> {
    this.cancelSweep?.();
    await Promise.all(this.connections.map((connection) => connection.close()));
  }

  private planSweep(): () => void {
    const intervalMs = Math.min(sweepIntervalMsMax, this.requestTimeoutMs / 4);
    return this.clock.after(intervalMs, () => {
      const isIdle = this.free.length === this.connections.length;
      this.cancelSweep = isIdle ? undefined : this.planSweep();
      this.sweep();
    });
  }

  private sweep(): void {
    const latest = this.clock.now() - this.requestTimeoutMs;
    for (const { exchange } of this.connections) {
      if (exchange !== undefined && exchange.start.startedAt <= latest) {
        exchange.timeOut();
      }
    }
  }
}
