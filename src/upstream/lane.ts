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
import type { ModelUpstream, UpstreamConfig } from '../config/upstreams';
import type { Endpoint } from '../domain/endpoints';
import { backoffMs } from '../domain/retry';
import type { Logger } from '../observability/logger';
import { isSuccess } from './answer';
import type { ByteBudget } from './byte-budget';
import type { Attempt, FailedAttemptKind } from './attempt';
import type { CircuitBreakerOptions } from './circuit-breaker';
import type { Clock } from './clock';
import { ConnectionPool } from './connection-pool';
import { EngineMetrics } from './engine-metrics';
import { Exchange, type Connection, type ConnectionOptions } from './exchange';
import { FairQueue } from './fair-queue';
import { HealthCheck } from './health-check';
import { Isolation } from './isolation';
import { withModel } from './model-alias';
import { Pacing } from './pacing';
import type { PumpedLane } from './pump';
import { RetryBudget } from './retry-budget';
import { Route, type Successes } from './route';
import type { LineSession, Outlet, SessionHost, SessionLine, SessionTarget } from './session';
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
  readonly successes: Successes;
  /** Has all lanes send what they can, soon. */
  readonly schedulePump: () => void;
}

export class Lane implements SessionHost, PumpedLane {
  private readonly clock: Clock;
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
      onResume: options.schedulePump,
    });
    this.metrics = new EngineMetrics({
      clock,
      read: options.transport.readLoad,
      isBusy: () => this.traffic.inFlight > 0,
      onLoad: (load) => this.pacing.onLoad(load, this.traffic),
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

  get isPaused(): boolean {
    return this.pacing.isPaused;
  }

  get load(): number {
    return (this.traffic.inFlight + 1) / this.upstream.weight;
  }

  /** @param model as clients call it. */
  target(model: string, { upstreamModel }: ModelUpstream, endpoint: Endpoint): SessionTarget {
    return {
      host: this,
      route: this.routeOf(upstreamModel),
      path: pathAt(this.upstream, `/${endpoint.slice('/v1/'.length)}`),
      modelJson: upstreamModel === model ? undefined : Buffer.from(JSON.stringify(upstreamModel)),
    };
  }

  onReady(outlet: Outlet): void {
    this.queue.enter(outlet);
    this.options.schedulePump();
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
    const { clock, random, logger, transport, successes, schedulePump } = this.options;
    const breakerOptions: CircuitBreakerOptions = {
      clock,
      random,
      health: new HealthCheck(transport.look),
      onOpen: (cause) => {
        logger.warn({ ...about, cause }, 'Upstream does not answer; its lines wait');
        // Lines do not wait for this route any more, nor those of others for its suspects.
        schedulePump();
      },
      onClose: () => {
        logger.info(about, 'Upstream answers again');
      },
      onUnanswered: (cause) => {
        logger.warn({ ...about, cause }, 'Upstream passes its health check, but answers no line');
      },
      onAdmit: schedulePump,
    };
    const route = new Route(breakerOptions, this.isolation, successes);
    this.routes.set(upstreamModel, route);
    return route;
  }

  maySend(): boolean {
    return !this.queue.isEmpty && !this.isClosed && this.pacing.maySend(this.traffic.inFlight);
  }

  sendNext(): boolean {
    const line = this.queue.take();
    if (line === undefined) {
      return false;
    }
    this.send(line, this.pool.acquire());
    return true;
  }

  private send(line: SessionLine, connection: Connection): void {
    const { route, path, modelJson } = line.outlet.target;
    const { requestId } = line.request;
    const body =
      modelJson === undefined ? line.request.body : withModel(line.request.body, modelJson);
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
    const { breaker } = line.outlet.target.route;
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
    // A pause lets lines go elsewhere that would not have otherwise.
    if (this.maySend() || this.isPaused) {
      this.options.schedulePump();
    }
  };

  private onAnswer({ start }: Exchange, attempt: Attempt): void {
    const { line } = start;
    const { answer } = attempt.outcome;
    const { route } = line.outlet.target;
    route.breaker.onAnswer();
    if (answer !== undefined && isSuccess(answer.status)) {
      route.onSuccess();
      this.pacing.onSuccess(start, workOf(answer.usage), this.traffic);
    }
    line.session.settle(line, attempt.outcome);
  }

  private onFailure(exchange: Exchange, attempt: Attempt, kind: FailedAttemptKind): void {
    const { line, number, sending } = exchange.start;
    const { route } = line.outlet.target;
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
      route: route.breaker,
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
