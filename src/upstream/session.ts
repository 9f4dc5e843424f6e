import type { BatchId } from '../domain/ids';
import { attemptCounts, attemptPolicies, type LineAttempts } from '../domain/retry';
import type { FailedAttemptKind } from './attempt';
import type { Clock } from './clock';
import type { DispatchSession, LineOutcome, LineRequest, SessionOptions } from './dispatcher';
import type { Member } from './fair-queue';
import type { Route } from './route';

/** Lines that may wait beside as many as the upstream takes, so that none of its places idles. */
const queueLength = 16;
/** A session that waits for room is told when this many lines may be submitted at once. */
const roomWanted = queueLength / 2;

/** What a session needs of the lane that serves it. */
export interface SessionHost {
  readonly clock: Clock;
  /** The session has a line to send. */
  onReady(session: LineSession): void;
  /** Closes the connections that carry lines of the session. */
  abandon(session: LineSession): void;
}

/** Where the lines of a session go. */
export interface SessionTarget {
  readonly route: Route;
  /** Of the endpoint at the upstream. */
  readonly path: string;
}

type State = 'open' | 'draining' | 'aborted';

/** What is known when an attempt has failed. */
export interface FailedAttempt {
  readonly kind: FailedAttemptKind;
  readonly othersSucceeded: boolean;
  /** The circuit breaker holds the route for down. */
  readonly isRouteDown: boolean;
  /** By the dispatcher's clock, in milliseconds. */
  readonly now: number;
  readonly patienceMs: number;
}

/** A request line on its way, with what its attempts have come to so far. */
export class Line {
  /** Successes of the route when the line's latest attempt was judged, or its first one sent. */
  successesSeen: number | undefined;
  private failed: number;
  private counted: LineAttempts['counted'];
  /** Since when the line has failed without its route being held for down. */
  private failingSince: number | undefined;

  constructor(
    readonly session: LineSession,
    readonly request: LineRequest,
    now: number,
  ) {
    const { failed, counted, failingMs } = request.earlierAttempts ?? noAttempts;
    this.failed = failed;
    this.counted = counted;
    this.failingSince = failed === 0 ? undefined : now - failingMs;
  }

  /** Failed attempts, counted or not. */
  get failures(): number {
    return this.failed;
  }

  /** Records a failed attempt; returns whether it was the last. */
  fail({ kind, othersSucceeded, isRouteDown, now, patienceMs }: FailedAttempt): boolean {
    this.failed += 1;
    this.failingSince = isRouteDown ? undefined : (this.failingSince ?? now);
    const patienceIsOver = this.failingSince !== undefined && now - this.failingSince >= patienceMs;
    if (!attemptCounts(kind, { othersSucceeded, patienceIsOver })) {
      return false;
    }
    const count = (this.counted[kind] ?? 0) + 1;
    this.counted = { ...this.counted, [kind]: count };
    return count >= attemptPolicies[kind].attemptsMax;
  }

  attempts(now: number): LineAttempts {
    const { failed, counted, failingSince } = this;
    return { failed, counted, failingMs: failingSince === undefined ? 0 : now - failingSince };
  }
}

const noAttempts: LineAttempts = { failed: 0, counted: {}, failingMs: 0 };

/**
 * The lines of one slice: ready to be sent, in flight, or waiting for their next attempt. A line
 * that comes back goes before those that were never sent.
 */
export class LineSession implements DispatchSession, Member<Line> {
  private readonly ready: Line[] = [];
  private readonly waiting = new Map<Line, () => void>();
  private readonly window: number;
  private inFlight = 0;
  private state: State = 'open';
  private roomWaiters: (() => void)[] = [];
  private drainWaiters: (() => void)[] = [];

  constructor(
    private readonly host: SessionHost,
    private readonly options: SessionOptions,
    readonly target: SessionTarget,
  ) {
    this.window = options.route.upstream.maxInFlight + queueLength;
  }

  get batchId(): BatchId {
    return this.options.batchId;
  }

  get outstanding(): number {
    return this.ready.length + this.waiting.size + this.inFlight;
  }

  get isEmpty(): boolean {
    return this.ready.length === 0;
  }

  get isOpen(): boolean {
    return this.state === 'open';
  }

  get isAborted(): boolean {
    return this.state === 'aborted';
  }

  hasRoom(): boolean {
    return this.outstanding < this.window;
  }

  async waitForRoom(): Promise<void> {
    if (this.isOpen && !this.hasRoom()) {
      await new Promise<void>((resolve) => this.roomWaiters.push(resolve));
    }
  }

  /** A line that comes after {@link drain} or {@link abort} is given up like the others. */
  submit(request: LineRequest): void {
    if (this.isOpen) {
      this.ready.push(new Line(this, request, this.host.clock.now()));
      this.host.onReady(this);
    }
  }

  async drain(): Promise<void> {
    this.giveUpWaiting('draining');
    if (this.inFlight > 0) {
      await new Promise<void>((resolve) => this.drainWaiters.push(resolve));
    }
  }

  abort(): void {
    this.giveUpWaiting('aborted');
    this.host.abandon(this);
    this.inFlight = 0;
    this.wakeDrained();
  }

  take(): Line | undefined {
    if (!this.target.route.breaker.admits()) {
      return undefined;
    }
    const line = this.ready.shift();
    if (line !== undefined) {
      this.inFlight += 1;
    }
    return line;
  }

  /** A line in flight has its outcome. */
  settle(line: Line, outcome: LineOutcome): void {
    this.inFlight -= 1;
    this.options.onOutcome(line.request, outcome);
    this.afterLanding();
  }

  /** A line in flight needs another attempt, `delayMs` from now. */
  retry(line: Line, delayMs: number): void {
    this.inFlight -= 1;
    if (this.isOpen) {
      const cancel = this.host.clock.after(delayMs, () => {
        this.waiting.delete(line);
        this.comeBack(line);
      });
      this.waiting.set(line, cancel);
    } else {
      this.giveUp(line);
    }
    this.afterLanding();
  }

  /** The line's ordinal is its age: of the lines that come back, the oldest goes first. */
  private comeBack(line: Line): void {
    const { ordinal } = line.request;
    const at = this.ready.findIndex(
      (other) => other.failures === 0 || other.request.ordinal > ordinal,
    );
    this.ready.splice(at === -1 ? this.ready.length : at, 0, line);
    this.host.onReady(this);
  }

  private afterLanding(): void {
    if (this.inFlight === 0) {
      this.wakeDrained();
    }
    if (this.roomWaiters.length > 0 && this.outstanding <= this.window - roomWanted) {
      this.wakeRoom();
    }
  }

  private giveUpWaiting(state: State): void {
    if (!this.isAborted) {
      this.state = state;
    }
    for (const line of this.ready.splice(0)) {
      this.giveUp(line);
    }
    for (const [line, cancel] of this.waiting) {
      cancel();
      this.giveUp(line);
    }
    this.waiting.clear();
    this.wakeRoom();
  }

  private giveUp(line: Line): void {
    if (line.failures > 0) {
      this.options.onGivenUp(line.request, line.attempts(this.host.clock.now()));
    }
  }

  private wakeRoom(): void {
    const waiters = this.roomWaiters;
    this.roomWaiters = [];
    wakeAll(waiters);
  }

  private wakeDrained(): void {
    const waiters = this.drainWaiters;
    this.drainWaiters = [];
    wakeAll(waiters);
  }
}

function wakeAll(waiters: readonly (() => void)[]): void {
  for (const wake of waiters) {
    wake();
  }
}
