/**
 * Everything that this process sends to one upstream, whichever slice it comes from.
 *
 * A line is sent when its turn has come ({@link FairQueue}), the upstream takes another request
 * ({@link Pacing}) and its route is not held for down ({@link Route}). A line that was refused
 * waits for its own backoff, whatever pause the upstream asked for, so that others get by.
 *
 * Invariants:
 * - A line that was taken from its session comes back to it exactly once, unless the session was
 *   aborted.
 * - Within a callback of undici nothing is sent but the next request on the connection that has
 *   just become free: its parser may not be entered again.
 */
import type { UpstreamConfig } from '../config/upstreams';
import { backoffMs } from '../domain/retry';
import type { Logger } from '../observability/logger';
import { isSuccess } from './answer';
import type { ByteBudget } from './byte-budget';
import type { Attempt, FailedAttemptKind } from './attempt';
import type { CircuitBreakerOptions } from './circuit-breaker';
import type { Clock } from './clock';
import { ConnectionPool } from './connection-pool';
import type { DispatchSession, SessionOptions } from './dispatcher';
import { EngineMetrics } from './engine-metrics';
import { Exchange, type Connection, type ConnectionOptions } from './exchange';
import { FairQueue } from './fair-queue';
import { HealthCheck } from './health-check';
import { Isolation } from './isolation';
import { Pacing } from './pacing';
import { RetryBudget } from './retry-budget';
import { Route } from './route';
import { LineSession, type SessionHost, type SessionLine } from './session';
import { workOf } from './throughput-sample';
import { commonHeaders, pathAt, type Transport } from './transport';

export interface LaneOptions {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly budget: ByteBudget;
  readonly outagePatienceMs: number;
  readonly transport: Transport;
}

export class Lane implements SessionHost {
  readonly clock: Clock;
  /** Ends with the name of the one header whose value differs from request to request. */
  private readonly headers: readonly string[];
  private readonly routes = new Map<string, Route>();
  private readonly queue = new FairQueue<SessionLine>();
  private readonly isolation = new Isolation();
  private readonly pacing: Pacing;
  private readonly retryBudget = new RetryBudget();
  private readonly metrics: EngineMetrics;
  private readonly pool: ConnectionPool;
  private readonly traffic = { sent: 0, inFlight: 0 };
  private opened = 0;
  private isPumpScheduled = false;
  private isClosed = false;

  constructor(
    private readonly upstream: UpstreamConfig,
    private readonly options: LaneOptions,
  ) {
    const { clock, random } = options;
    this.clock = clock;
    this.headers = ['content-type', 'application/json', ...commonHeaders(upstream), 'x-request-id'];
    this.pacing = new Pacing({
      clock,
      random,
      maxInFlight: upstream.maxInFlight,
      onResume: this.schedulePump,
    });
    this.metrics = new EngineMetrics({
      clock,
      read: options.transport.readLoad,
      isBusy: () => this.traffic.inFlight > 0,
      onLoad: (load) => {
        this.pacing.onLoad(load, this.traffic);
      },
    });
    const connectionOptions: ConnectionOptions = {
      budget: options.budget,
      onExchangeEnd: this.onExchangeEnd,
    };
    const connect = (): Connection => options.transport.connect(connectionOptions);
    this.pool = new ConnectionPool(connect, clock, upstream.requestTimeoutMs);
  }

  get inFlightLimit(): number {
    return this.pacing.limitSoon;
  }

  admitsRetry(): boolean {
    return this.retryBudget.admits(this.pacing.limit);
  }

  open(options: SessionOptions): DispatchSession {
    const route = this.routeOf(options.route.upstreamModel);
    const path = pathAt(this.upstream, `/${options.endpoint.slice('/v1/'.length)}`);
    this.opened += 1;
    return new LineSession(this, options, { route, path }, this.opened);
  }

  onReady(session: LineSession): void {
    this.queue.enter(session);
    this.schedulePump();
  }

  abandon(session: LineSession): void {
    this.pool.abandon((exchange) => exchange.start.line.session !== session);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.pacing.close();
    this.metrics.close();
    // Exchanges that end with their connection are failures, and would start a check.
    await this.pool.close();
    for (const route of this.routes.values()) {
      route.breaker.close();
    }
  }

  private routeOf(upstreamModel: string): Route {
    const known = this.routes.get(upstreamModel);
    if (known !== undefined) {
      return known;
    }
    const about = { upstream: this.upstream.name, model: upstreamModel };
    const { clock, random, logger, transport } = this.options;
    const breakerOptions: CircuitBreakerOptions = {
      clock,
      random,
      health: new HealthCheck(transport.look),
      onOpen: (cause) => {
        logger.warn({ ...about, cause }, 'Upstream does not answer; its lines wait');
        // Lines of other routes do not wait for suspects of this one any more.
        this.schedulePump();
      },
      onClose: () => {
        logger.info(about, 'Upstream answers again');
      },
      onUnanswered: (cause) => {
        logger.warn({ ...about, cause }, 'Upstream passes its health check, but answers no line');
      },
      onAdmit: this.schedulePump,
    };
    const route = new Route(breakerOptions, this.isolation);
    this.routes.set(upstreamModel, route);
    return route;
  }

  /** Not at once: a slice submits many lines in a row, and undici may be in the middle of things. */
  private readonly schedulePump = (): void => {
    if (!this.isPumpScheduled) {
      this.isPumpScheduled = true;
      queueMicrotask(this.pump);
    }
  };

  private readonly pump = (): void => {
    this.isPumpScheduled = false;
    while (this.maySend()) {
      const line = this.queue.take();
      if (line === undefined) {
        return;
      }
      this.send(line, this.pool.acquire());
    }
  };

  private maySend(): boolean {
    return !this.queue.isEmpty && !this.isClosed && this.pacing.maySend(this.traffic.inFlight);
  }

  private send(line: SessionLine, connection: Connection): void {
    const { route, path } = line.session.target;
    const { requestId, body } = line.request;
    line.successesSeen ??= route.successes;
    this.traffic.inFlight += 1;
    this.traffic.sent += 1;
    this.retryBudget.onSent(line.failures > 0);
    this.metrics.wake();
    const exchange = new Exchange({
      line,
      connection,
      startedAt: this.clock.now(),
      number: this.traffic.sent,
      sending: route.onSent(line),
    });
    connection.send(exchange, { path, headers: [...this.headers, requestId], body });
  }

  private readonly onExchangeEnd = (exchange: Exchange, attempt: Attempt): void => {
    const { line, connection, sending } = exchange.start;
    const { breaker } = line.session.target.route;
    this.traffic.inFlight -= 1;
    const isAnswered = attempt.kind !== 'unavailable' && attempt.kind !== 'unreachable';
    this.isolation.onEnd(sending.company, isAnswered);
    this.retryBudget.onEnd(line.failures > 0, attempt.kind === 'answer');
    if (line.session.isAborted) {
      breaker.onGivenUp(sending.isTrial);
    } else if (attempt.kind === 'answer') {
      this.onAnswer(exchange, attempt);
    } else {
      this.onFailure(exchange, attempt, attempt.kind);
    }
    const next = exchange.isComplete && this.maySend() ? this.queue.take() : undefined;
    if (next === undefined) {
      this.pool.release(connection);
    } else {
      this.send(next, connection);
    }
    if (this.maySend()) {
      this.schedulePump();
    }
  };

  private onAnswer({ start }: Exchange, attempt: Attempt): void {
    const { line } = start;
    const { answer } = attempt.outcome;
    const { route } = line.session.target;
    route.breaker.onAnswer();
    if (answer !== undefined && isSuccess(answer.status)) {
      route.onSuccess();
      this.pacing.onSuccess(start, workOf(answer.usage), this.traffic);
    }
    line.session.settle(line, attempt.outcome);
  }

  private onFailure(exchange: Exchange, attempt: Attempt, kind: FailedAttemptKind): void {
    const { line, number, sending } = exchange.start;
    const { route } = line.session.target;
    if (kind === 'server_error' || kind === 'rate_limited') {
      route.breaker.onAnswer();
    } else {
      const { isTrial } = sending;
      route.breaker.onFailure(attempt.cause, { isTrial, isRouteFault: kind === 'route_fault' });
    }
    if (attempt.congested) {
      this.pacing.onCongestion(attempt, number, this.traffic);
    }
    const isLast = line.fail({
      kind,
      sending,
      othersSucceeded: route.hasSucceededSince(line.successesSeen ?? 0),
      isAlone: this.isolation.wasAlone(sending.company),
      isRefusal: attempt.outcome.answer !== undefined,
      now: this.clock.now(),
      patienceMs: this.options.outagePatienceMs,
    });
    line.successesSeen = route.successes;
    if (isLast) {
      line.session.settle(line, attempt.outcome);
    } else {
      line.session.retry(line, backoffMs(line.failures, this.options.random()));
    }
  }
}
