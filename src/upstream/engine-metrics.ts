/**
 * Asks an inference server for its load, about once a second while something is in flight there.
 * A server that has no such metrics is asked again after ten minutes.
 */
import type { Dispatcher } from 'undici';
import { AnswerBody } from './answer-body';
import type { Clock } from './clock';
import { parseEngineLoad, type EngineLoad } from './engine-load';
import { countLargeRead } from './large-reads';
import { SingleGet, type GetTarget } from './single-get';

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

export function readLoadOverHttp(target: GetTarget): ReadLoad {
  return (onRead) => {
    const exchange = new MetricsExchange(target, onRead);
    return () => {
      exchange.end();
    };
  };
}

class MetricsExchange extends SingleGet<LoadReading> {
  private readonly body = new AnswerBody();

  override onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    if (status >= 300) {
      this.end(status < 500 ? 'absent' : 'failed');
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.body.add(chunk);
    if (this.body.bytes > metricsBytesMax) {
      this.end('absent');
    } else if (this.body.isLarge) {
      countLargeRead(controller, chunk.length);
    }
  }

  onResponseEnd(): void {
    this.end(parseEngineLoad(this.body.whole().toString('latin1')) ?? 'absent');
  }

  protected override fail(): void {
    this.end('failed');
  }
}
