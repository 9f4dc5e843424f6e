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

/** What a session needs of a lane that serves it. */
export interface SessionHost {
  /** Requests that the upstream may be sent at a time, at once or soon. */
  readonly inFlightLimit: number;
  /** The upstream has asked for a pause. */
  readonly isPaused: boolean;
  /** Whether a line that has failed may be sent. */
  admitsRetry(): boolean;
  /** The session has a line to send. */
  onReady(outlet: Outlet): void;
  /** Closes the connections that carry lines of the session. */
  abandon(session: LineSession): void;
}

/** Where the lines of a session can go. */
export interface SessionTarget {
  readonly host: SessionHost;
  readonly route: Route;
  /** Of the endpoint at the upstream. */
  readonly path: string;
  /** What the upstream calls the model, where that is not what clients call it. */
  readonly modelJson: Uint8Array | undefined;
}

/** One of the upstreams that serve a session, each of which takes a line when it has room. */
export class Outlet implements Member<SessionLine> {
  constructor(
    private readonly session: LineSession,
    readonly target: SessionTarget,
  ) {}

  get projectId(): ProjectId {
    return this.session.projectId;
  }

  get batchId(): BatchId {
    return this.session.batchId;
  }

  get rank(): number {
    return this.session.rank;
  }

  get isEmpty(): boolean {
    return this.session.isEmpty;
  }

  /** Whether it takes lines at present, sooner or later. */
  get isUp(): boolean {
    return !this.target.route.breaker.isOpen && !this.target.host.isPaused;
  }

  take(): SessionLine | undefined {
    return this.session.take(this);
  }
}

/** A line on its way through a lane, back to its session. */
export class SessionLine extends Line {
  /** The last that it was sent by, or is bound to; at first the session's first, which says nothing. */
  outlet: Outlet;
  isBound = false;

  constructor(
    readonly session: LineSession,
    request: LineRequest,
    now: number,
  ) {
    const [outlet] = session.outlets;
    super(request, outlet.target.route.breaker, now);
    this.outlet = outlet;
  }

  bind(outlet: Outlet): void {
    this.outlet = outlet;
    this.isBound = true;
  }
}

type State = 'open' | 'draining' | 'aborted';

/**
 * The lines of one slice: ready to be sent, in flight, or waiting for their next attempt. A line
 * that comes back goes before those that were never sent.
 */
export class LineSession implements DispatchSession {
  readonly outlets: readonly [Outlet, ...Outlet[]];
  private readonly ready: SessionLine[] = [];
  private readonly waiting = new Map<SessionLine, () => void>();
  /** Not to be sent any more. */
  private readonly retired: SessionLine[] = [];
  private inFlight = 0;
  private state: State = 'open';
  private roomWaiters: (() => void)[] = [];
  private drainWaiters: (() => void)[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly options: SessionOptions,
    targets: readonly [SessionTarget, ...SessionTarget[]],
    /** In the order in which sessions were opened. */
    readonly rank: number,
  ) {
    const [first, ...others] = targets;
    this.outlets = [new Outlet(this, first), ...others.map((other) => new Outlet(this, other))];
  }

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
    return this.outlets.reduce((sum, { target }) => sum + target.route.outcomes, 0);
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
      this.enter(new SessionLine(this, request, this.clock.now()));
    }
  }

  async drain(): Promise<void> {
    this.retireWaiting('draining');
    if (this.inFlight > 0) {
      await new Promise<void>((resolve) => this.drainWaiters.push(resolve));
    }
    for (const { target } of this.outlets) {
      if (!this.isAborted) {
        // Whether its upstream went down with a line, the next session could not find out.
        await new Promise<void>((resolve) => {
          this.drainWaiters.push(resolve);
          target.route.breaker.onVerdict(resolve);
        });
      }
    }
    this.giveUpRetired();
  }

  abort(): void {
    this.retireWaiting('aborted');
    this.giveUpRetired();
    for (const { target } of this.outlets) {
      target.host.abandon(this);
    }
    this.inFlight = 0;
    this.wakeDrained();
  }

  /** The next line for the outlet's upstream. */
  take(outlet: Outlet): SessionLine | undefined {
    const line = this.next(outlet);
    if (line !== undefined) {
      if (line === this.ready[0]) {
        this.ready.shift();
      } else {
        this.ready.splice(this.ready.indexOf(line), 1);
      }
      this.inFlight += 1;
      line.bind(outlet);
      if (line.failures > 0) {
        this.forget(line);
      }
    }
    return line;
  }

  /** A line in flight has its outcome. */
  settle(line: SessionLine, outcome: LineOutcome): void {
    this.inFlight -= 1;
    line.outlet.target.route.onOutcome();
    this.options.onOutcome(line.request, outcome);
    this.afterLanding();
  }

  /** A line in flight needs another attempt, `delayMs` from now. */
  retry(line: SessionLine, delayMs: number): void {
    this.inFlight -= 1;
    if (this.isOpen) {
      const cancel = this.clock.after(delayMs, () => {
        this.waiting.delete(line);
        this.enter(line);
      });
      this.waiting.set(line, cancel);
    } else {
      this.retired.push(line);
    }
    this.afterLanding();
  }

  /** Lines at most. It follows the limits: an upstream has many sessions, each with its lines in memory. */
  private get window(): number {
    let lines = queueLength;
    for (const { target } of this.outlets) {
      lines += target.host.inFlightLimit;
    }
    return lines;
  }

  /** The first that is ready, unless something speaks against it. */
  private next(outlet: Outlet): SessionLine | undefined {
    const { host, route } = outlet.target;
    const { breaker, isolation } = route;
    const ready = this.readyFor(outlet);
    const first = ready[0];
    if (first === undefined) {
      return undefined;
    }
    if (breaker.isOpen) {
      // A line that never failed tells more of the upstream than one that may be the trouble.
      return breaker.admits() ? fewestFailures(ready) : undefined;
    }
    if (first.failures === 0 || !breaker.admitsRetry() || !host.admitsRetry()) {
      return firstNew(ready, route);
    }
    const suspects = ready.filter(({ isSuspect }) => isSuspect);
    const suspect = fewestFailures(suspects);
    suspect?.bind(outlet);
    const isSuspect = suspect !== undefined;
    const line = suspect ?? first;
    return isolation.admits(line, isSuspect, breaker) ? line : undefined;
  }

  /** Lines that never failed, which come last, may go anywhere. */
  private readyFor(outlet: Outlet): readonly SessionLine[] {
    const { ready, outlets } = this;
    return outlets.length === 1 || ready[0]?.failures === 0
      ? ready
      : ready.filter((line) => line.failures === 0 || this.mayRetry(line, outlet));
  }

  /**
   * A line that failed goes to another upstream, if one is up: one that fails whatever it gets always
   * has room, and would use up all attempts. But a suspect stays where it is, in this session, lest it
   * take down one upstream after the other.
   */
  private mayRetry(line: SessionLine, outlet: Outlet): boolean {
    if (!line.isBound) {
      return true;
    }
    if (!line.outlet.target.route.breaker.hasVerdict) {
      return false;
    }
    const isBack = line.outlet === outlet;
    return line.isSuspect
      ? isBack
      : !isBack || !this.outlets.some((other) => other !== outlet && other.isUp);
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
    for (const outlet of this.outlets) {
      outlet.target.host.onReady(outlet);
    }
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
      this.forget(line);
    }
    this.retired.push(...this.ready.splice(0), ...this.waiting.keys());
    this.waiting.clear();
    this.wakeRoom();
  }

  /** No upstream waits for the line any more. */
  private forget(line: SessionLine): void {
    for (const { target } of this.outlets) {
      target.route.isolation.forget(line);
    }
  }

  private giveUpRetired(): void {
    const failed = this.retired.splice(0).filter(({ failures }) => failures > 0);
    // Not all may be told of to the next session: then those that are nearest to their end.
    for (const line of failed.sort((one, other) => other.failures - one.failures)) {
      this.options.onGivenUp(line.request, line.attempts(this.clock.now()));
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

function firstNew(
  ready: readonly SessionLine[],
  { breaker, isolation }: Route,
): SessionLine | undefined {
  const line = ready.find(({ failures }) => failures === 0);
  return line !== undefined && breaker.admits() && isolation.admits(line, false, breaker)
    ? line
    : undefined;
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
