/** What of an upstream whose capacity nobody knows, and which changes, the service puts to use. */
import { setTimeout as delay } from 'node:timers/promises';
import { say } from '../../scripts/cli/run-program';
import { waitUntil } from '../../scripts/local/wait';
import { createBatch, isTerminal, pollUntil, uploadLines } from '../bench-batch';
import { startProgram } from '../child-program';
import type { FixedLimitTask } from '../fixed-limit-client';
import { parseNumbers } from '../parse-numbers';
import { rounded } from '../process-stats';
import { atLeast, atMost, everyBar, type Findings } from '../report';
import { requestBody } from '../request-lines';
import { startSlottedUpstream, type SlottedUpstreamProgram } from '../slotted-upstream-program';
import { inSlottedWorld } from '../slotted-world';

export const adaptiveHelp = `adaptive: throughput before capacities that change, over that of the best fixed limit
  --capacities N,N,…      slots of the upstream, one after the other (96,32,192)
  --seconds N             for which it has each of them (30)
  --waits N               requests that it lets wait; more are refused with 429 (64)
  --latency-ms N          time that an answer takes (250)
  --limits N,N,…          requests in flight of a bare client, one run for each (32,64,96,128,192,256)
  --ceiling N             max_in_flight of the worker (1024)`;

const defaults = {
  capacities: [96, 32, 192],
  seconds: 30,
  waits: 64,
  'latency-ms': 250,
  limits: [32, 64, 96, 128, 192, 256],
  ceiling: 1_024,
};
type Parameters = ReturnType<typeof parseNumbers<typeof defaults>>;

const ratioGoal = { floor: 0.93, aim: 0.99 };
const refusedGoal = { floor: 10, aim: 0.5 };
const firstRequestTimeoutMs = 120_000;

/** Over the whole time, in which the upstream has each capacity once. */
interface Course {
  readonly answersPerSecond: number;
  readonly refusedPerThousand: number;
  readonly answersPerSecondOfCapacities: readonly number[];
}

interface FixedCourse extends Course {
  readonly limit: number;
}

export async function runAdaptive(
  args: readonly string[],
  abort: AbortController,
): Promise<Findings> {
  const parameters = parseNumbers(args, defaults);
  const fixed: FixedCourse[] = [];
  for (const limit of parameters.limits) {
    fixed.push({ limit, ...(await measureFixed(limit, parameters, abort.signal)) });
  }
  const withMetrics = await measureService(true, parameters, abort);
  const withoutMetrics = await measureService(false, parameters, abort);
  return findingsOf({ fixed, withMetrics, withoutMetrics }, parameters);
}

async function measureFixed(
  inFlight: number,
  parameters: Parameters,
  signal: AbortSignal,
): Promise<Course> {
  say(`A fixed limit of ${inFlight} …`);
  const upstream = await startSlottedUpstream({
    ...upstreamOptions(parameters),
    latencyMs: parameters['latency-ms'],
    holdsMax: upstreamOptions(parameters).holds,
  });
  try {
    const url = `http://127.0.0.1:${upstream.port}/v1/chat/completions`;
    const task: FixedLimitTask = { url, inFlight, body: requestBody };
    const client = await startProgram('fixed-limit-client', task);
    try {
      return await followCourse(upstream, parameters, signal);
    } finally {
      await client.stop();
    }
  } finally {
    await upstream.stop();
  }
}

/** A batch that does not end meanwhile, on one worker. */
async function measureService(
  hasMetrics: boolean,
  parameters: Parameters,
  abort: AbortController,
): Promise<Course> {
  say(`The service, ${hasMetrics ? 'with' : 'without'} metrics of the upstream …`);
  const options = {
    ...upstreamOptions(parameters),
    'latency-ms': parameters['latency-ms'],
    'in-flight': parameters.ceiling,
    hasMetrics,
  };
  return await inSlottedWorld(options, abort, async (world) => {
    await world.addWorker();
    const { user, upstream } = world;
    const { capacities, seconds } = parameters;
    const answersMax = (Math.max(...capacities) * seconds * 1_000) / parameters['latency-ms'];
    const fileId = await uploadLines(user, Math.ceil(answersMax * (capacities.length + 1)));
    const { id } = await createBatch(user, fileId);
    await waitUntil(async () => (await upstream.stats()).requests > 0, {
      what: 'the first request',
      timeoutMs: firstRequestTimeoutMs,
      signal: abort.signal,
    });
    const course = await followCourse(upstream, parameters, abort.signal);
    const { status } = await pollUntil(user, id, () => true);
    if (status !== 'in_progress') {
      throw new Error(`The batch is ${status} before the time is up.`);
    }
    await user.client.batches.cancel(id);
    await pollUntil(user, id, isTerminal);
    return course;
  });
}

function upstreamOptions({ capacities, waits }: Parameters): {
  readonly slots: number;
  readonly holds: number;
  readonly knowsIds: boolean;
} {
  const [slots = 1] = capacities;
  return { slots, holds: slots + waits, knowsIds: false };
}

/** From the first capacity to the end of the last one; what was sent before does not count. */
async function followCourse(
  upstream: SlottedUpstreamProgram,
  { capacities, seconds }: Parameters,
  signal: AbortSignal,
): Promise<Course> {
  await upstream.reset();
  const startedAt = performance.now();
  const answered: number[] = [];
  for (const capacity of capacities) {
    await upstream.resize(capacity);
    await delay(seconds * 1_000, undefined, { signal });
    answered.push((await upstream.stats()).answered);
  }
  const elapsedSeconds = (performance.now() - startedAt) / 1000;
  const stats = await upstream.stats();
  const course = {
    answersPerSecond: rounded(stats.answered / elapsedSeconds),
    refusedPerThousand: rounded((1_000 * stats.refused) / stats.requests),
    answersPerSecondOfCapacities: answered.map((count, at) =>
      rounded((count - (answered[at - 1] ?? 0)) / seconds),
    ),
  };
  say(
    `${course.answersPerSecond} answers per second (${course.answersPerSecondOfCapacities.join(', ')}), ` +
      `${course.refusedPerThousand} of 1,000 refused`,
  );
  return course;
}

function findingsOf(
  courses: {
    readonly fixed: readonly FixedCourse[];
    readonly withMetrics: Course;
    readonly withoutMetrics: Course;
  },
  parameters: Parameters,
): Findings {
  const { fixed, withMetrics, withoutMetrics } = courses;
  const best = Math.max(...fixed.map(({ answersPerSecond }) => answersPerSecond));
  const ratioOf = ({ answersPerSecond }: Course): number => rounded(answersPerSecond / best);
  const service = { with_metrics: withMetrics, without_metrics: withoutMetrics };
  const slotSeconds = parameters.capacities.reduce((sum, slots) => sum + slots, 0);
  const bestPossible =
    (slotSeconds * 1_000) / parameters['latency-ms'] / parameters.capacities.length;
  return {
    ratio: ratioOf(withoutMetrics),
    bar: everyBar(
      Object.entries(service).flatMap(([name, course]) => [
        atLeast(`${name}.ratio`, ratioOf(course), ratioGoal),
        atMost(`${name}.refused_per_thousand`, course.refusedPerThousand, refusedGoal),
      ]),
    ),
    reference: {
      client: 'undici.request with a fixed limit',
      best_answers_per_second: best,
      possible_answers_per_second: rounded(bestPossible),
      limits: fixed.map((course) => ({ limit: course.limit, ...describe(course) })),
    },
    service: Object.fromEntries(
      Object.entries(service).map(([name, course]) => [
        name,
        { ratio: ratioOf(course), ...describe(course) },
      ]),
    ),
    parameters,
  };
}

function describe(course: Course): Record<string, unknown> {
  return {
    answers_per_second: course.answersPerSecond,
    answers_per_second_of_capacities: course.answersPerSecondOfCapacities,
    refused_per_thousand: course.refusedPerThousand,
  };
}
