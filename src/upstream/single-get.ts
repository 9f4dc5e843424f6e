import { Client, type Dispatcher } from 'undici';
import type { Clock } from './clock';

export interface GetTarget {
  readonly origin: string;
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly clientOptions: Client.Options;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** One `GET` over a connection of its own, which is closed as soon as it is known what comes of it. */
export abstract class SingleGet<Result> implements Dispatcher.DispatchHandler {
  protected isSent = false;
  private readonly client: Client;
  private readonly cancelTimeout: () => void;
  private hasEnded = false;

  constructor(
    { origin, path, headers, clientOptions, clock, timeoutMs }: GetTarget,
    private readonly onResult: (result: Result) => void,
  ) {
    this.client = new Client(origin, clientOptions);
    this.cancelTimeout = clock.after(timeoutMs, () => {
      this.fail();
    });
    this.client.dispatch({ method: 'GET', path, headers: [...headers] }, this);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.hasEnded) {
      controller.abort(new Error('Nobody wants to know any more.'));
    }
    this.isSent = true;
  }

  /** Also called for each informational answer, before the one that counts. */
  abstract onResponseStart(controller: Dispatcher.DispatchController, status: number): void;

  onResponseError(): void {
    this.fail();
  }

  /** Without a result nobody is told. */
  end(result?: Result): void {
    if (this.hasEnded) {
      return;
    }
    this.hasEnded = true;
    // Not within a callback of undici: its parser may be at work.
    queueMicrotask(() => {
      this.cancelTimeout();
      void this.client.destroy();
    });
    if (result !== undefined) {
      this.onResult(result);
    }
  }

  /** There is no answer, or it does not end. */
  protected abstract fail(): void;
}
