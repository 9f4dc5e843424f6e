/** Lines sent to simulated servers, slice after slice, in simulated hours. */
import { pino } from 'pino';
import type { ModelRoute } from '../../../src/config/upstreams';
import type { LineAttempts } from '../../../src/domain/retry';
import { ByteBudget } from '../../../src/upstream/byte-budget';
import type { LineOutcome } from '../../../src/upstream/dispatcher';
import { createHttpDispatcher } from '../../../src/upstream/http-dispatcher';
import { ManualClock } from './manual-clock';
import { SimulatedServer, type SimulatedServerOptions } from './simulated-server';
import {
  aRoute,
  lineRequest,
  range,
  RecordingSession,
  severalUpstreams,
  type UpstreamOverrides,
} from './support';

export const second = 1_000;
export const minute = 60 * second;
export const hour = 60 * minute;

export const defaultPatienceMs = 15 * minute;
const sliceMs = 5 * minute;

export type SimulatedUpstream = Omit<SimulatedServerOptions, 'clock'> & UpstreamOverrides;

interface SlicesWorld {
  /** All serve the one model of the lines. */
  readonly upstreams: readonly [SimulatedUpstream, ...SimulatedUpstream[]];
  readonly lineCount: number;
  readonly seed: number;
  readonly patienceMs?: number;
}

interface SlicesRun {
  readonly servers: readonly SimulatedServer[];
  readonly outcomes: ReadonlyMap<number, LineOutcome>;
  /** When the last line had its outcome. */
  readonly endedAt: number;
}

/** Sends all lines until each has its outcome or `limitMs` have passed. */
export async function runSlices(world: SlicesWorld, limitMs: number): Promise<SlicesRun> {
  const { upstreams, lineCount } = world;
  const clock = new ManualClock();
  const servers = upstreams.map((upstream) => new SimulatedServer({ ...upstream, clock }));
  const route = routeTo(upstreams);
  const dispatcher = createHttpDispatcher({
    logger: pino({ level: 'silent' }),
    budget: new ByteBudget(Infinity),
    outagePatienceMs: world.patienceMs ?? defaultPatienceMs,
    clock,
    random: randomFrom(world.seed),
    transportTo: ({ name }) => {
      const server = servers[route.upstreams.findIndex(({ upstream }) => upstream.name === name)];
      if (server === undefined) {
        throw new Error(`There is no upstream ${name}.`);
      }
      return server;
    },
  });
  const outcomes = new Map<number, LineOutcome>();
  const attempts = new Map<number, LineAttempts>();
  while (outcomes.size < lineCount && clock.now() < limitMs) {
    const lines = new RecordingSession(dispatcher, route);
    const rest = range(0, lineCount).filter((ordinal) => !outcomes.has(ordinal));
    const submitted = submitAll(lines, rest, attempts);
    const sliceEndsAt = clock.now() + sliceMs;
    await advance(clock, () => lines.outcomes.size === rest.length || clock.now() >= sliceEndsAt);
    let isDrained = false;
    const drained = lines.session.drain().then(() => {
      isDrained = true;
    });
    await advance(clock, () => isDrained);
    await Promise.all([submitted, drained]);
    for (const [ordinal, outcome] of lines.outcomes) {
      outcomes.set(ordinal, outcome);
    }
    for (const [ordinal, given] of lines.givenUp) {
      attempts.set(ordinal, given);
    }
  }
  const endedAt = clock.now();
  await dispatcher.close();
  const outages = upstreams.flatMap((upstream) => upstream.outages ?? []);
  expect(clock.timerCount).toBe(outages.filter(({ from }) => from > endedAt).length);
  return { servers, outcomes, endedAt };
}

/** How each line ended: a status or an error code. */
export function endingsOf({ outcomes }: SlicesRun, lineCount: number): unknown[] {
  return range(0, lineCount).map((ordinal) => {
    const { answer, failure } = outcomes.get(ordinal) ?? {};
    return failure?.code ?? answer?.status;
  });
}

function routeTo([first, ...others]: SlicesWorld['upstreams']): ModelRoute {
  const routes = others.map((upstream, at) =>
    aRoute(1, { name: `gpu-${at + 2}`, ...configOf(upstream) }),
  );
  return severalUpstreams(aRoute(1, configOf(first)), ...routes);
}

function configOf({ maxInFlight, requestTimeoutMs, weight }: SimulatedUpstream): UpstreamOverrides {
  return {
    ...(maxInFlight !== undefined && { maxInFlight }),
    ...(requestTimeoutMs !== undefined && { requestTimeoutMs }),
    ...(weight !== undefined && { weight }),
  };
}

async function submitAll(
  { session }: RecordingSession,
  ordinals: readonly number[],
  attempts: ReadonlyMap<number, LineAttempts>,
): Promise<void> {
  for (const ordinal of ordinals) {
    await session.waitForRoom();
    session.submit({ ...lineRequest(ordinal), earlierAttempts: attempts.get(ordinal) });
  }
}

async function advance(clock: ManualClock, isEnough: () => boolean): Promise<void> {
  await settled();
  while (!isEnough()) {
    if (!clock.advanceToNext()) {
      throw new Error('Nothing will ever happen any more.');
    }
    await settled();
  }
}

/** Lets everything happen that needs no time. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) {
    await Promise.resolve();
  }
}

/** Numerical Recipes' generator: the same numbers for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
