import type { ModelUpstream, UpstreamConfig } from '../config/upstreams';
import type { Logger } from '../observability/logger';
import type { ByteBudget } from './byte-budget';
import { systemClock, type Clock } from './clock';
import type { Dispatcher } from './dispatcher';
import { Lane } from './lane';
import { Pump } from './pump';
import { LineSession, type SessionTarget } from './session';
import { httpTransport, type Transport } from './transport';

export interface HttpDispatcherOptions {
  readonly logger: Logger;
  /** Holds answers while they arrive. */
  readonly budget: ByteBudget;
  /**
   * For how long a line that is alone with its failures waits before they count: about what it takes
   * to restart an inference server.
   */
  readonly outagePatienceMs: number;
  readonly clock?: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
  /** Over HTTP by default. */
  readonly transportTo?: (upstream: UpstreamConfig, clock: Clock) => Transport;
}

/** Talks to upstreams over HTTP/1.1 with keep-alive; one lane for each upstream, by its name. */
export function createHttpDispatcher(options: HttpDispatcherOptions): Dispatcher {
  const { logger, budget, outagePatienceMs, clock = systemClock, random = Math.random } = options;
  const { transportTo = httpTransport } = options;
  const lanes = new Map<string, Lane>();
  const pump = new Pump();
  const successes = { count: 0 };
  let opened = 0;
  const laneOf = (upstream: UpstreamConfig): Lane => {
    let lane = lanes.get(upstream.name);
    if (lane === undefined) {
      lane = new Lane(upstream, {
        clock,
        random,
        logger,
        budget,
        outagePatienceMs,
        transport: transportTo(upstream, clock),
        successes,
        schedulePump: pump.schedule,
      });
      lanes.set(upstream.name, lane);
      pump.add(lane);
    }
    return lane;
  };
  return {
    open(session) {
      const { endpoint, route } = session;
      // The file may have changed since the batch was created: then it is for the upstream to say so.
      const [first = route.upstreams[0], ...others] = route.upstreams.filter(({ endpoints }) =>
        endpoints.has(endpoint),
      );
      const targetAt = (upstream: ModelUpstream): SessionTarget =>
        laneOf(upstream.upstream).target(route.model, upstream, endpoint);
      opened += 1;
      const targets = [targetAt(first), ...others.map(targetAt)] as const;
      return new LineSession(clock, session, targets, opened);
    },
    async close() {
      await Promise.all(Array.from(lanes.values(), (lane) => lane.close()));
    },
  };
}
