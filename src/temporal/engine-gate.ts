import { setMaxListeners } from 'node:events';
import { Limiter } from '../domain/limiter';
import { EngineUnavailable } from './batch-runner';

/**
 * Lets few calls at a time reach the engine: the deadline of a call is for its own work, not for
 * that of the hundreds before it. When one finds the engine unavailable, those that wait fail with
 * the same error, rather than after a deadline each.
 */
export class EngineGate {
  private readonly turns: Limiter;
  private outage = newOutage();

  constructor(callsMax: number) {
    this.turns = new Limiter(callsMax);
  }

  async pass<T>(call: () => Promise<T>): Promise<T> {
    const { outage } = this;
    const release = await this.turns.acquire(outage.signal);
    try {
      outage.signal.throwIfAborted();
      return await call();
    } catch (error) {
      if (error instanceof EngineUnavailable && !outage.signal.aborted) {
        outage.abort(error);
        this.outage = newOutage();
      }
      throw error;
    } finally {
      release();
    }
  }
}

function newOutage(): AbortController {
  const outage = new AbortController();
  // As many as there are calls that wait.
  setMaxListeners(0, outage.signal);
  return outage;
}
