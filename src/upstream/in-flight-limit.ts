/**
 * How many requests an upstream gets at a time. Nobody has to know how many it can use: the limit
 * follows what is measured ({@link CapacitySearch}) and what is refused.
 *
 * - It is raised little by little, within a part of the time that an answer takes, so that an
 *   upstream which refuses what is too much has to refuse one request, and not hundreds.
 * - A refusal after a calm time shows how many the upstream accepts: as many as are in flight.
 * - A refusal sooner means that it is overloaded: the limit is cut by 30 % for each round of them, as
 *   TCP does (CUBIC, RFC 9438).
 *
 * Without that, an upstream with a small rate limit would refuse the same lines again and again
 * until they had no attempt left.
 */
import { CapacitySearch } from './capacity-search';
import type { Clock } from './clock';
import type { EngineLoad } from './engine-load';
import { SlowStart } from './slow-start';
import { ThroughputSample } from './throughput-sample';

export interface InFlightLimitOptions {
  readonly clock: Clock;
  readonly max: number;
  onRaise(): void;
}

/** A request that has ended. */
export interface SentRequest {
  /** Position in the order of sending, from 1. */
  readonly number: number;
  /** By the clock of the limit. */
  readonly startedAt: number;
}

/** What the upstream was sent by this process; it goes on to change. */
export interface Traffic {
  /** Requests so far. */
  readonly sent: number;
  /** Requests that are still in flight, without one that has just ended. */
  readonly inFlight: number;
}

/** What any server that batches requests can have in hand at a time. */
const silentLimit = 16;
/** Reached within `startMs` if nothing speaks against it. */
const startLimit = 128;
const startMs = 250;
/** By which each answer raises the limit thereafter: one of the first, and as long as they come as quickly. */
const [firstGrowth, startGrowth] = [3, 7];
/** Where answers come so quickly, a wait for others costs nothing; to wake up for few of them does. */
const quickMs = 50;
const quickLimit = 64;
/**
 * Answers a millisecond that are about all that one process can take in: then answers wait for it, more
 * requests would wait with them, and what is measured is itself. No inference server takes longer
 * than that and answers as many.
 */
const [busyRate, busyMs] = [4, 100];
/** Before it is tried again: a process that starts, or stands still for a moment, is slow with 64 too. */
const busyAgainMs = 1_000;
const cut = 0.7;
const raiseTickMsMin = 2;
/** Of the requests that the upstream works on, as many may wait there. */
const [waitingMin, waitingWanted, waitingMax] = [0.05, 0.1, 0.15];
/** By which the limit rises while too few wait; a second time in a row, and thereafter. */
const [loadGrowth, loadGrowthNext] = [1.5, 2];
/** For which the upstream's own figures hold. */
const loadMs = 5_000;
/** For which a refusal says more than that nothing waits. */
const refusedMs = 10_000;
/** For which no more are tried than were accepted, for each millisecond of a pause: little is lost. */
const wallMsOfPause = 30;
/** A first guess is to be too much rather than too little. */
const spare = 2;

export class InFlightLimit {
  private limit: number;
  private readonly search: CapacitySearch;
  private start: SlowStart | undefined = new SlowStart();
  private sample: ThroughputSample | undefined;
  private sentBefore: number | undefined;
  private cancelRaise: (() => void) | undefined;
  private loadAt = -Infinity;
  private refusedUntil = -Infinity;
  private refusedLimit = Infinity;
  private isRising = false;
  private notBusyUntil = -Infinity;
  private latencyMs = 0;
  private latencies = 0;
  private lastShrinkAt = -1;
  private least = 1;
  private answers = 0;
  private answersToCalm = 1;

  constructor(private readonly options: InFlightLimitOptions) {
    const { max } = options;
    const min = Math.min(max, silentLimit);
    this.limit = min;
    this.search = new CapacitySearch({ start: Math.min(max, startLimit), min, max });
    this.raise(startMs);
  }

  /** At least 1. */
  get current(): number {
    return Math.floor(this.limit);
  }

  /** What it may be soon, so that as many lines should be at hand. It is not small while refused ones wait. */
  get soon(): number {
    return Math.ceil(Math.max(this.limit, this.search.level, this.quickLevel));
  }

  onSuccess({ number, startedAt }: SentRequest, work: number, traffic: Traffic): void {
    const inFlight = traffic.inFlight + 1;
    const now = this.options.clock.now();
    const latencyMs = now - startedAt;
    this.answers += 1;
    this.latencies = Math.min(16, this.latencies + 1);
    this.latencyMs += (latencyMs - this.latencyMs) / this.latencies;
    this.search.min = this.isQuick ? this.quickLevel : Math.min(this.options.max, silentLimit);
    if (this.start !== undefined) {
      this.start.add(startedAt, latencyMs, work);
      this.grow(this.start, { inFlight, now });
      return;
    }
    if (this.hasLoad(now) || this.limit !== this.search.level || inFlight > this.limit + 1) {
      return;
    }
    this.sentBefore ??= traffic.sent;
    this.sample ??= new ThroughputSample(this.limit, this.latencyMs);
    const { sample } = this;
    if (number > this.sentBefore) {
      sample.add(inFlight, latencyMs, work);
    }
    const found = sample.result(this.search.isCoarse);
    if (found !== undefined) {
      this.forgetSample();
      if (sample.isFilled && !this.holdBusy(sample.latencyMs, now)) {
        this.search.onMeasured(found);
        this.follow();
      }
    }
  }

  /**
   * What the upstream tells of itself is better than what can be measured here: the limit then keeps a
   * short queue there, whoever has put it there. So several processes share the upstream. What tells
   * of less than is in flight was read between two bursts of answers, or is of one server among others.
   * Returns whether the limit rises, so that it is worth asking again soon.
   */
  onLoad({ running, waiting }: EngineLoad, { inFlight }: Traffic): boolean {
    const now = this.options.clock.now();
    if (running === 0 || this.isQuick || running + waiting < inFlight / 2) {
      return false;
    }
    this.loadAt = now;
    if (waiting > running * waitingMax) {
      this.isRising = false;
      const part = (running * (1 + waitingWanted)) / (running + waiting);
      this.begin(Math.max(2, Math.min(this.limit, inFlight) * part));
    } else if (waiting > running * waitingMin) {
      this.isRising = false;
    } else if (this.canRise && inFlight >= this.limit - 1) {
      // By one at least, so that a process with a small share gets a larger one.
      const most = now < this.refusedUntil ? this.refusedLimit * cut : Infinity;
      const level = 1 + this.limit * (this.isRising ? loadGrowthNext : loadGrowth);
      this.begin(Math.max(this.limit, Math.min(level, most)));
      this.isRising = true;
    }
    return this.cancelRaise !== undefined;
  }

  /**
   * After a pause: what is missing goes out within the time of an answer. What is sent at once comes
   * back at once, again and again, and is refused where it would not be one by one.
   */
  resume(inFlight: number): void {
    const { level } = this.search;
    this.close();
    this.limit = Math.max(1, Math.min(level, inFlight));
    this.forgetSample();
    this.raise(((this.latencyMs || startMs) * (level - this.limit)) / level);
  }

  /** Returns whether the upstream is overloaded, which it is not by a request that is one too many. */
  onRefusal(number: number, traffic: Traffic, pauseMs = 0): boolean {
    this.refusedUntil = this.options.clock.now() + refusedMs;
    this.refusedLimit = this.limit;
    const { isNews, isCalm } = this.note(number, { sent: traffic.sent, least: 1 });
    if (isNews && !isCalm) {
      this.restart(traffic.inFlight, pauseMs);
    } else {
      this.ease(traffic.inFlight, pauseMs);
    }
    return isNews && !isCalm;
  }

  /**
   * The same for a request that was not answered in time. One among many that were answered says
   * nothing of the upstream. If none at all was answered since the limit last shrank, it may be the
   * requests themselves: the limit then does not fall below 16, lest a hundred requests that never
   * end wait for each other, one by one.
   */
  onTimeout(number: number, { sent }: Traffic): boolean {
    const least = this.answers === 0 ? Math.min(this.options.max, silentLimit) : 1;
    const { isNews, isCalm } = this.note(number, { sent, least });
    if (isNews && !isCalm) {
      this.restart(Infinity);
    }
    return isNews && !isCalm;
  }

  /** Stops the timer. */
  close(): void {
    this.cancelRaise?.();
    this.cancelRaise = undefined;
  }

  /** What was sent before the limit last shrank says nothing about the smaller one. */
  private note(
    number: number,
    { sent, least }: { readonly sent: number; readonly least: number },
  ): { readonly isNews: boolean; readonly isCalm: boolean } {
    const isNews = number > this.lastShrinkAt;
    const isCalm = this.answers >= this.answersToCalm;
    if (isNews) {
      this.lastShrinkAt = sent;
      // At the start the limit has run ahead of what it is known to be.
      const isGuess = isCalm && this.start !== undefined;
      this.least = Math.max(least, isGuess ? this.search.min : this.limit * cut);
      this.answersToCalm = this.limit;
      this.answers = 0;
    }
    return { isNews, isCalm };
  }

  /** The start goes on by itself, and so does a rise that is under way. */
  private get canRise(): boolean {
    return this.start === undefined && this.cancelRaise === undefined;
  }

  private get isQuick(): boolean {
    return this.latencies > 0 && this.latencyMs < quickMs;
  }

  /** See {@link busyRate}; by the time that an answer takes. */
  private isBusy(latencyMs: number): boolean {
    return latencyMs < busyMs && this.limit > busyRate * latencyMs;
  }

  private get quickLevel(): number {
    return Math.min(this.options.max, quickLimit);
  }

  /** Whether the limit is to be as low as it may be where the process is busy, and not to be searched. */
  private holdBusy(latencyMs: number, now: number): boolean {
    const isBusy = this.isBusy(latencyMs);
    if (this.limit <= this.quickLevel) {
      this.notBusyUntil = isBusy ? now : now + busyAgainMs;
      return isBusy;
    }
    const isToFall = isBusy && now >= this.notBusyUntil;
    if (isToFall) {
      this.begin(this.quickLevel);
    }
    return isToFall;
  }

  private hasLoad(now: number): boolean {
    return now - this.loadAt < loadMs;
  }

  private begin(level: number): void {
    this.start = undefined;
    this.search.begin(level);
    this.follow();
  }

  private grow(start: SlowStart, { inFlight, now }: { inFlight: number; now: number }): void {
    const { max } = this.options;
    if (start.isOver) {
      const level = Math.min(this.limit, spare * start.workedOn(now));
      const isBusy = this.isBusy(this.latencyMs);
      this.begin(isBusy ? this.quickLevel : Math.max(this.search.min, level));
    } else if (inFlight >= this.limit - 1 && !start.isSlower) {
      this.limit = Math.min(max, this.limit + (start.isKnown ? startGrowth : firstGrowth));
      if (this.limit === max) {
        this.begin(max);
      }
    }
  }

  private ease(accepted: number, pauseMs: number): void {
    const level = Math.max(this.least, Math.min(this.limit, accepted));
    if (this.start !== undefined || level < this.search.level) {
      this.start = undefined;
      this.search.onWall(level, this.roundsIn(pauseMs * wallMsOfPause));
      this.follow();
    }
  }

  private restart(accepted: number, pauseMs = 0): void {
    const wall = Math.max(this.least, Math.min(this.limit, accepted));
    this.start = undefined;
    this.search.restart(this.least, wall, this.roundsIn(pauseMs * wallMsOfPause));
    this.follow();
  }

  /** Each takes about twice as long as an answer. */
  private roundsIn(ms: number): number {
    return ms / (2 * Math.max(1, this.latencyMs));
  }

  private follow(): void {
    const { level } = this.search;
    if (level !== this.limit) {
      this.forgetSample();
    }
    this.close();
    if (level > this.limit) {
      // A small step is a probe, which may meet a wall.
      const durationMs = level > this.limit * 1.2 ? this.latencyMs / 4 : this.latencyMs;
      const isToldSoon = this.hasLoad(this.options.clock.now());
      this.raise(isToldSoon ? Math.min(durationMs, startMs) : durationMs);
    } else {
      this.limit = level;
    }
  }

  private raise(durationMs: number): void {
    const to = this.search.level;
    const tickMs = Math.max(raiseTickMsMin, durationMs / 64);
    const step = (to - this.limit) * Math.min(1, tickMs / durationMs);
    const tick = (): void => {
      this.limit = Math.max(this.limit, Math.min(to, this.limit + step));
      this.cancelRaise = this.limit < to ? this.options.clock.after(tickMs, tick) : undefined;
      this.options.onRaise();
    };
    if (step > 0) {
      this.cancelRaise = this.options.clock.after(tickMs, tick);
    }
  }

  private forgetSample(): void {
    this.sample = undefined;
    this.sentBefore = undefined;
  }
}
