/** Workers that keep an inference server busy in simulated time, with a limit that is found or fixed. */
import type { Attempt } from '../../../src/upstream/attempt';
import type { Traffic } from '../../../src/upstream/in-flight-limit';
import { Pacing } from '../../../src/upstream/pacing';
import { EventClock } from './event-clock';
import { QueueingServer } from './queueing-server';

export interface LoadWorld {
  /** Slots of the server, for a phase each. */
  readonly slots: readonly number[];
  readonly phaseMs: number;
  readonly queueMax: number;
  /** Of a request alone at the server, on average. */
  readonly serviceMs: number;
  /** How many times as long a request takes when as many are worked on as ever can be. */
  readonly slowdown: number;
  /** Standard deviation of the logarithm of the work of a request. */
  readonly spread: number;
  readonly seed: number;
  readonly workers: number;
  /** The server asks for so long a pause when it refuses; it names no time when absent. */
  readonly retryAfterMs?: number;
  /** The server tells its load. */
  readonly hasMetrics?: boolean;
}

export interface LoadResult {
  /** Done in all. */
  readonly work: number;
  readonly refusedPerThousand: number;
  /** Requests at the server, on average over time, for each that was worked on. */
  readonly inFlightPerRunning: number;
}

const meanWork = 200;
/** After which a worker hears that a request was refused. */
const roundTripMs = 1;
/** What a worker with a fixed limit does with a refused request: its place is taken meanwhile. */
const backoffMs = 500;
const [metricsSoonMs, metricsMs] = [250, 1_000];
const inFlightMax = 1_024;

const refusal: Attempt = {
  kind: 'rate_limited',
  cause: 429,
  retryAfterMs: undefined,
  congested: true,
  timedOut: false,
  outcome: { failure: { code: 'refused', message: 'refused' } },
};

/** Without `fixedLimit` the limit is found. */
export function runLoad(world: LoadWorld, fixedLimit?: number): LoadResult {
  const clock = new EventClock();
  const random = randomFrom(world.seed);
  const slotsMax = Math.max(...world.slots);
  const alone = world.serviceMs / meanWork;
  const server = new QueueingServer({
    clock,
    slots: world.slots[0] ?? 0,
    queueMax: world.queueMax,
    unitMs: (running) => alone * (1 + ((world.slowdown - 1) * running) / slotsMax),
  });
  for (const [phase, slots] of world.slots.entries()) {
    clock.after(phase * world.phaseMs, () => {
      server.slots = slots;
    });
  }
  const nextWork = (): number => meanWork * Math.exp(world.spread * normal(random));
  for (let worker = 0; worker < world.workers; worker++) {
    clock.after(random() * 1_000, () => {
      const worker = new Worker({
        clock,
        random,
        server,
        nextWork,
        fixedLimit,
        retryAfterMs: world.retryAfterMs,
      });
      worker.start();
      if (world.hasMetrics === true) {
        clock.after(metricsMs, worker.readLoad);
      }
    });
  }
  let [atServer, running] = [0, 0];
  const end = world.slots.length * world.phaseMs;
  while (clock.now() < end) {
    clock.advance(world.serviceMs / 10);
    atServer += server.runningCount + server.waitingCount;
    running += server.runningCount;
  }
  return {
    work: server.workDone,
    refusedPerThousand: (1_000 * server.refused) / server.accepted,
    inFlightPerRunning: atServer / running,
  };
}

interface WorkerOptions {
  readonly clock: EventClock;
  readonly random: () => number;
  readonly server: QueueingServer;
  readonly nextWork: () => number;
  readonly fixedLimit: number | undefined;
  readonly retryAfterMs: number | undefined;
}

class Worker implements Traffic {
  sent = 0;
  inFlight = 0;
  private readonly pacing: Pacing;

  constructor(private readonly options: WorkerOptions) {
    const { clock, random } = options;
    this.pacing = new Pacing({
      clock,
      random,
      maxInFlight: inFlightMax,
      onResume: () => {
        this.start();
      },
    });
  }

  start(): void {
    while (this.maySend()) {
      this.send();
    }
  }

  readonly readLoad = (): void => {
    const { clock, server } = this.options;
    const load = { running: server.runningCount, waiting: server.waitingCount };
    clock.after(this.pacing.onLoad(load, this) ? metricsSoonMs : metricsMs, this.readLoad);
  };

  private maySend(): boolean {
    const { fixedLimit } = this.options;
    return fixedLimit === undefined
      ? this.pacing.maySend(this.inFlight)
      : this.inFlight < fixedLimit;
  }

  private send(): void {
    const { clock, server, nextWork, fixedLimit, retryAfterMs } = this.options;
    const work = nextWork();
    const startedAt = clock.now();
    this.sent += 1;
    this.inFlight += 1;
    const number = this.sent;
    const isAccepted = server.accept(work, () => {
      this.inFlight -= 1;
      this.pacing.onSuccess({ number, startedAt }, work, this);
      this.start();
    });
    if (!isAccepted) {
      clock.after(fixedLimit === undefined ? roundTripMs : (retryAfterMs ?? backoffMs), () => {
        this.inFlight -= 1;
        this.pacing.onCongestion({ ...refusal, retryAfterMs }, number, this);
        this.start();
      });
    }
  }
}

/** Box and Muller's transform. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Numerical Recipes' generator: the same numbers for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
