import type { BatchId, ProjectId } from '../domain/ids';
import type { Clock } from './clock';
import type { DispatchSession, LineOutcome, LineRequest, SessionOptions } from './dispatcher';
import type { Member } from './fair-queue';
import { Line } from './line';
import type { Route } from './route';

/** Lines that may wait beside as many as the upstream takes, so that none of its places idles. */
const queueLength = 16;
/** A session that waits for room is told when this many lines may be submitted at once. */
const roomWanted = queueLength / 2;

/** What a session needs of the lane that serves it. */
export interface SessionHost {
  readonly clock: Clock;
  /** Requests that the upstream may be sent at a time, at once or soon. */
  readonly inFlightLimit: number;
  /** Whether a line that has failed may be sent. */
  admitsRetry(): boolean;
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

/** A line on its way through the lane, back to its session. */
export class SessionLine extends Line {
  constructor(
    readonly session: LineSession,
    request: LineRequest,
    now: number,
  ) {
    super(request, session.target.route.breaker, now);
  }
}

type State = 'open' | 'draining' | 'aborted';

/**
 * The lines of one slice: ready to be sent, in flight, or waiting for their next attempt. A line
 * that comes back goes before those that were never sent.
 */
export class LineSession implements DispatchSession, Member<SessionLine> {
  private readonly ready: SessionLine[] = [];
  private readonly waiting = new Map<SessionLine, () => void>();
  /** Not to be sent any more. */
  private readonly retired: SessionLine[] = [];
  private inFlight = 0;
  private state: State = 'open';
  private roomWaiters: (() => void)[] = [];
  private drainWaiters: (() => void)[] = [];

  constructor(
    private readonly host: SessionHost,
    private readonly options: SessionOptions,
    readonly target: SessionTarget,
    /** In the order in which the sessions of the lane were opened. */
    readonly rank: number,
  ) {}

  get projectId(): ProjectId {
    return this.options.projectId;
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

  get routeOutcomes(): number {
    return this.target.route.outcomes;
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
      this.enter(new SessionLine(this, request, this.host.clock.now()));
    }
  }

  async drain(): Promise<void> {
    this.retireWaiting('draining');
    if (this.inFlight > 0) {
      await new Promise<void>((resolve) => this.drainWaiters.push(resolve));
    }
    if (!this.isAborted) {
      // Whether its upstream went down with a line, the next session could not find out.
      await new Promise<void>((resolve) => {
        this.drainWaiters.push(resolve);
        this.target.route.breaker.onVerdict(resolve);
      });
    }
    this.giveUpRetired();
  }

  abort(): void {
    this.retireWaiting('aborted');
    this.giveUpRetired();
    this.host.abandon(this);
    this.inFlight = 0;
    this.wakeDrained();
  }

  take(): SessionLine | undefined {
    const line = this.next();
    if (line !== undefined) {
      if (line === this.ready[0]) {
        this.ready.shift();
      } else {
        this.ready.splice(this.ready.indexOf(line), 1);
      }
      this.inFlight += 1;
    }
    return line;
  }

  /** A line in flight has its outcome. */
  settle(line: SessionLine, outcome: LineOutcome): void {
    this.inFlight -= 1;
    this.target.route.onOutcome();
    this.options.onOutcome(line.request, outcome);
    this.afterLanding();
  }

  /** A line in flight needs another attempt, `delayMs` from now. */
  retry(line: SessionLine, delayMs: number): void {
    this.inFlight -= 1;
    if (this.isOpen) {
      const cancel = this.host.clock.after(delayMs, () => {
        this.waiting.delete(line);
        this.enter(line);
      });
      this.waiting.set(line, cancel);
    } else {
      this.retired.push(line);
    }
    this.afterLanding();
  }

  /** Lines at most. It follows the limit: an upstream has many sessions, each with its lines in memory. */
  private get window(): number {
    return this.host.inFlightLimit + queueLength;
  }

  /** The first that is ready, unless something speaks against it. */
  private next(): SessionLine | undefined {
    const { breaker, isolation } = this.target.route;
    const first = this.ready[0];
    if (first === undefined) {
      return undefined;
    }
    if (breaker.isOpen) {
      // A line that never failed tells more of the upstream than one that may be the trouble.
      return breaker.admits() ? fewestFailures(this.ready) : undefined;
    }
    if (first.failures === 0 || !breaker.admitsRetry() || !this.host.admitsRetry()) {
      const line = this.ready.find(({ failures }) => failures === 0);
      return line !== undefined && breaker.admits() && isolation.admits(line, false)
        ? line
        : undefined;
    }
    const suspects = this.ready.filter(({ isSuspect }) => isSuspect);
    const line = fewestFailures(suspects) ?? first;
    return isolation.admits(line, suspects.length > 0) ? line : undefined;
  }

  /** The line's ordinal is its age: of the lines that come back, the oldest goes first. */
  private enter(line: SessionLine): void {
    const { ordinal } = line.request;
    const at =
      line.failures === 0
        ? -1
        : this.ready.findIndex((other) => other.failures === 0 || other.request.ordinal > ordinal);
    if (at === -1) {
      this.ready.push(line);
    } else {
      this.ready.splice(at, 0, line);
    }
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

  private retireWaiting(state: State): void {
    if (!this.isAborted) {
      this.state = state;
    }
    for (const cancel of this.waiting.values()) {
      cancel();
    }
    for (const line of this.ready) {
      this.target.route.isolation.forget(line);
    }
    this.retired.push(...this.ready.splice(0), ...this.waiting.keys());
    this.waiting.clear();
    this.wakeRoom();
  }

  private giveUpRetired(): void {
    const failed = this.retired.splice(0).filter(({ failures }) => failures > 0);
    // Not all may be told of to the next session: then those that are nearest to their end.
    for (const line of failed.sort((one, other) => other.failures - one.failures)) {
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

function fewestFailures(lines: readonly SessionLine[]): SessionLine | undefined {
  return lines.reduce<SessionLine | undefined>(
    (best, line) => (best === undefined || line.failures < best.failures ? line : best),
    undefined,
  );
}

function wakeAll(waiters: readonly (() => void)[]): void {
  for (const wake of waiters) {
    wake();
  }
}
