import type { Usage } from '../domain/usage';

/** Work per millisecond, as measured with one number of requests in flight. */
export interface Throughput {
  /** By the first quarter of the sample; to be compared with such only. */
  readonly early: number;
  /** By all of it; `undefined` where a quarter was enough. */
  readonly full: number | undefined;
  /** Relative standard error. */
  readonly error: number;
}

const completionsMin = 16;
/** Answers that come at once come in bursts: so much time evens them out. */
const sampleMsMin = 100;
/** A token that is read costs a small part of one that is written. */
const inputWeight = 1 / 16;
const smoothing = 1 / 4;

/**
 * Throughput by Little's law: requests in flight ÷ time for a unit of work. An inference server that
 * works on so many takes about the same time for each token, however many an answer has; so a few
 * dozen answers tell what otherwise takes counting for minutes.
 *
 * Only what was sent since the sample began counts: the rest tells of another number in flight. So the
 * short ones come first, which makes much of a wait at the server and nothing of a server that gets
 * slower with each request that it works on. It is the former that the limit is to avoid.
 */
export class ThroughputSample {
  private readonly size: number;
  private readonly earlySize: number;
  private count = 0;
  private inFlight = 0;
  private work = 0;
  private latency = 0;
  private workSquares = 0;
  private latencySquares = 0;
  private products = 0;
  private early: number | undefined;

  /** `latencyMs`: the time that an answer takes, about. */
  constructor(
    private readonly limit: number,
    latencyMs: number,
  ) {
    const rounds = Math.max(1, sampleMsMin / latencyMs);
    this.size = Math.max(completionsMin, limit * rounds);
    this.earlySize = Math.max(completionsMin, this.size / 4);
  }

  /** `inFlight` counts the request itself; for its work see {@link workOf}. */
  add(inFlight: number, latencyMs: number, work: number): void {
    this.count += 1;
    this.inFlight += inFlight;
    this.work += work;
    this.latency += latencyMs;
    this.workSquares += work * work;
    this.latencySquares += latencyMs * latencyMs;
    this.products += work * latencyMs;
    if (this.early === undefined && this.count >= this.earlySize) {
      this.early = this.throughput;
    }
  }

  /** `undefined` until the sample is complete, or a quarter of it if that is enough. */
  result(isQuarterEnough: boolean): Throughput | undefined {
    const isFull = this.count >= this.size;
    if (this.early === undefined || !(isFull || isQuarterEnough)) {
      return undefined;
    }
    return { early: this.early, full: isFull ? this.throughput : undefined, error: this.error };
  }

  /** The time that an answer took, on average. */
  get latencyMs(): number {
    return this.latency / this.count;
  }

  /** Whether there was enough to send, so that the sample tells of the limit. */
  get isFilled(): boolean {
    return this.inFlight / this.count >= this.limit * 0.95 - 1;
  }

  private get throughput(): number {
    return (this.inFlight / this.count) * (this.work / Math.max(this.latency, Number.MIN_VALUE));
  }

  /** Of a ratio of two means (Cochran, Sampling Techniques, chapter 6). */
  private get error(): number {
    const ratio = this.latency / this.work;
    const residuals =
      this.latencySquares - 2 * ratio * this.products + ratio * ratio * this.workSquares;
    return this.latency === 0 ? 1 : Math.sqrt(Math.max(0, residuals)) / this.latency;
  }
}

/** How much a request asked of its upstream: about the tokens written, or 1 if it tells none. */
export function workOf({ inputTokens, outputTokens }: Usage): number {
  return 1 + outputTokens + inputTokens * inputWeight;
}

export function ratioOf(one: Throughput, other: Throughput): number {
  return one.full !== undefined && other.full !== undefined
    ? one.full / other.full
    : one.early / other.early;
}

/** Of the same number in flight, measured again. */
export function smoothed(known: Throughput, found: Throughput): Throughput {
  const towards = (from: number, to: number): number => from + (to - from) * smoothing;
  return {
    early: towards(known.early, found.early),
    full:
      known.full === undefined || found.full === undefined
        ? found.full
        : towards(known.full, found.full),
    error: found.error,
  };
}
