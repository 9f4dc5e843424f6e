/**
 * Asks an inference server for its load, about once a second while something is in flight there.
 * A server that has no such metrics is asked again after ten minutes.
 */
import { Client, type Dispatcher } from 'undici';
import type { Clock } from './clock';
import { parseEngineLoad, type EngineLoad } from './engine-load';
import type { LookTarget } from './health-check';

/** `absent`: the server answered with something else; `failed`: it did not answer. */
export type LoadReading = EngineLoad | 'absent' | 'failed';

/** Reads once, and calls back once; the returned function gives up, and then nobody is called. */
export type ReadLoad = (onRead: (reading: LoadReading) => void) => () => void;

export interface EngineMetricsOptions {
  readonly clock: Clock;
  readonly read: ReadLoad;
  isBusy(): boolean;
  /** Returns whether it is going to change, so that the next reading comes soon. */
  onLoad(load: EngineLoad): boolean;
}

/** A new server is filled within this time. */
const firstReadMs = 250;
const intervalMs = 1_000;
const changingIntervalMs = 250;
const failedIntervalMs = 10_000;
const absentIntervalMs = 600_000;
/** Enough for a server with hundreds of models. */
const metricsBytesMax = 2 * 1024 * 1024;

export class EngineMetrics {
  private readAt: number | undefined;
  private cancel: (() => void) | undefined;

  constructor(private readonly options: EngineMetricsOptions) {}

  /** To be called when something is sent. */
  wake(): void {
    this.cancel ??= this.plan();
  }

  /** Stops the timer and the reading. */
  close(): void {
    this.cancel?.();
    this.cancel = undefined;
  }

  private plan(): () => void {
    const { clock } = this.options;
    this.readAt ??= clock.now() + firstReadMs;
    return clock.after(Math.max(0, this.readAt - clock.now()), this.read);
  }

  private readonly read = (): void => {
    const { clock, read } = this.options;
    if (!this.options.isBusy()) {
      this.cancel = undefined;
      return;
    }
    this.cancel = read((reading) => {
      const isChanging = typeof reading === 'object' && this.options.onLoad(reading);
      this.readAt = clock.now() + (isChanging ? changingIntervalMs : intervalAfter(reading));
      this.cancel = this.plan();
    });
  };
}

function intervalAfter(reading: LoadReading): number {
  if (typeof reading === 'object') {
    return intervalMs;
  }
  return reading === 'absent' ? absentIntervalMs : failedIntervalMs;
}

/** Over a connection of its own, which is closed when the metrics are read. */
export function readLoadOverHttp(target: LookTarget): ReadLoad {
  return (onRead) => {
    const exchange = new MetricsExchange(target, onRead);
    return () => {
      exchange.end();
    };
  };
}

class MetricsExchange implements Dispatcher.DispatchHandler {
  private readonly client: Client;
  private readonly cancelTimeout: () => void;
  private readonly chunks: Buffer[] = [];
  private bytes = 0;
  private hasEnded = false;

  constructor(
    { origin, path, headers, clientOptions, clock, timeoutMs }: LookTarget,
    private readonly onRead: (reading: LoadReading) => void,
  ) {
    this.client = new Client(origin, clientOptions);
    this.cancelTimeout = clock.after(timeoutMs, () => {
      this.end('failed');
    });
    this.client.dispatch({ method: 'GET', path, headers: [...headers] }, this);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.hasEnded) {
      controller.abort(new Error('Nobody wants to know any more.'));
    }
  }

  /** Also called for each informational answer, before the one that counts. */
  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    if (status >= 300) {
      this.end(status < 500 ? 'absent' : 'failed');
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bytes += chunk.length;
    if (this.bytes > metricsBytesMax) {
      this.end('absent');
    } else {
      this.chunks.push(chunk);
    }
  }

  onResponseEnd(): void {
    this.end(parseEngineLoad(Buffer.concat(this.chunks).toString('latin1')) ?? 'absent');
  }

  onResponseError(): void {
    this.end('failed');
  }

  /** Without a reading nobody is told. */
  end(reading?: LoadReading): void {
    if (this.hasEnded) {
      return;
    }
    this.hasEnded = true;
    // Not within a callback of undici: its parser may be at work.
    queueMicrotask(() => {
      this.cancelTimeout();
      void this.client.destroy();
    });
    if (reading !== undefined) {
      this.onRead(reading);
    }
  }
}
