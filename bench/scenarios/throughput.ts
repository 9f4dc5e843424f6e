/** How much of what a bare HTTP client can do is left when the whole service does it. */
import { say } from '../../scripts/cli/run-program';
import { tokensPerAnswer } from '../canned-answer';
import { startLoadUpstream } from '../load-upstream';
import { parseNumbers } from '../parse-numbers';
import { rounded } from '../process-stats';
import { isDisturbed, meanOf, referenceJson, runReference, type ReferenceRun } from '../reference';
import { atLeast, atMost, everyBar, type Findings } from '../report';
import { requestBody } from '../request-lines';
import { median, spread } from '../statistics';
import { describeService, runService, type ServiceRun } from '../throughput-service';

export const throughputHelp = `throughput: requests per second from create to terminal, over those of undici.request
  --latencies-ms N,N,…    of the upstream, one after the other (0,200,1000)
  --runs N                of the service at each latency, each with a stack of its own (3)
  --lines N               requests in the batch (200000)
  --workers N             worker processes (1)
  --inference-processes N processes in which each worker runs slices; as many in all has the reference (1)
  --in-flight N           of each process of the reference, where answers take no time (64)
  --slots N               where they do: answers at a time, and requests in flight of the reference (1000)
  --reference-requests N  of each process in a run of the reference, at most 20 s worth (100000)`;

const defaults = {
  'latencies-ms': [0, 200, 1_000],
  runs: 3,
  lines: 200_000,
  workers: 1,
  'inference-processes': 1,
  'in-flight': 64,
  slots: 1_000,
  'reference-requests': 100_000,
};
type Parameters = ReturnType<typeof parseNumbers<typeof defaults>>;

const ratioGoal = { floor: 0.5, aim: 0.8 };
const cpuRatioGoal = { floor: 1.8, aim: 1.3 };
/** From here on the upstream's time is the only time. */
const slowLatencyMs = 1_000;
const slowTokensRatioGoal = { floor: 0.97, aim: 0.995 };
const referenceSecondsMax = 20;

interface Measurement {
  readonly latencyMs: number;
  /** Run by run, each over the mean of the references before it and after it. */
  readonly ratios: readonly number[];
  readonly tokensRatios: readonly number[];
  readonly cpuRatios: readonly number[];
  readonly references: readonly ReferenceRun[];
  readonly runs: readonly ServiceRun[];
}

export async function runThroughput(
  args: readonly string[],
  abort: AbortController,
): Promise<Findings> {
  const parameters = parseNumbers(args, defaults);
  const measurements: Measurement[] = [];
  for (const latencyMs of parameters['latencies-ms']) {
    say(`The upstream answers after ${latencyMs} ms.`);
    measurements.push(await measure(latencyMs, parameters, abort));
  }
  return findingsOf(measurements, parameters);
}

async function measure(
  latencyMs: number,
  parameters: Parameters,
  abort: AbortController,
): Promise<Measurement> {
  const { lines, workers, slots, runs: count } = parameters;
  const inferenceProcesses = parameters['inference-processes'];
  const processes = processesOf(parameters);
  const inFlight = latencyMs === 0 ? parameters['in-flight'] : Math.ceil(slots / processes);
  const upstream = await startLoadUpstream({ latencyMs, slots });
  try {
    const requestsMax = (referenceSecondsMax * 1_000 * inFlight) / latencyMs;
    const task = {
      url: `http://127.0.0.1:${upstream.port}/v1/chat/completions`,
      requests: Math.min(parameters['reference-requests'], requestsMax),
      inFlight,
      body: requestBody,
    };
    const clients = { clients: processes, upstreamPid: upstream.pid };
    const references = [await runReference(task, clients)];
    const load = { lines, workers, inferenceProcesses };
    const runs: ServiceRun[] = [];
    while (runs.length < count) {
      runs.push(await runService(load, upstream, abort));
      references.push(await runReference(task, clients));
    }
    const over = (ratio: (run: ServiceRun, reference: ReferenceRun) => number): number[] =>
      runs.map((run, at) => rounded(ratio(run, meanOf(references.slice(at, at + 2)))));
    return {
      latencyMs,
      ratios: over((run, { requestsPerSecond }) => run.requestsPerSecond / requestsPerSecond),
      tokensRatios: over(
        (run, { requestsPerSecond }) => run.tokensPerSecond / (requestsPerSecond * tokensPerAnswer),
      ),
      cpuRatios: over(
        (run, { clientCpuMicrosPerRequest }) =>
          run.workerCpuMicrosPerRequest / clientCpuMicrosPerRequest,
      ),
      references,
      runs,
    };
  } finally {
    await upstream.stop();
  }
}

/** That run slices, and as many of the reference. */
function processesOf(parameters: Parameters): number {
  return parameters.workers * parameters['inference-processes'];
}

function findingsOf(measurements: readonly Measurement[], parameters: Parameters): Findings {
  const disturbed = measurements.some(({ references }) => isDisturbed(references));
  say(disturbed ? 'References differ by more than a fifth: run it again.' : 'Done.');
  return {
    ratio: median(measurements[0]?.ratios ?? []),
    bar: everyBar([
      ...measurements.flatMap(barsOf),
      { asks: 'a run that was not disturbed', met: !disturbed },
    ]),
    reference: byLatency(measurements, ({ references }) =>
      referenceJson(references, processesOf(parameters)),
    ),
    service: byLatency(measurements, describe),
    parameters: {
      ...parameters,
      body_bytes: Buffer.byteLength(requestBody),
      tokens_per_answer: tokensPerAnswer,
    },
  };
}

function barsOf(measurement: Measurement): ReturnType<typeof atLeast>[] {
  const { latencyMs } = measurement;
  const at = `at ${latencyMs} ms`;
  if (latencyMs === 0) {
    return [
      atLeast(`ratio ${at}`, median(measurement.ratios), ratioGoal),
      atMost(`worker_cpu_ratio ${at}`, median(measurement.cpuRatios), cpuRatioGoal),
    ];
  }
  const tokensRatio = median(measurement.tokensRatios);
  return latencyMs >= slowLatencyMs
    ? [atLeast(`tokens_ratio ${at}`, tokensRatio, slowTokensRatioGoal)]
    : [];
}

function describe({ ratios, tokensRatios, cpuRatios, runs }: Measurement): Record<string, unknown> {
  return {
    ratio: median(ratios),
    ratio_of_runs: ratios,
    ratio_spread: rounded(spread(ratios)),
    tokens_ratio: median(tokensRatios),
    worker_cpu_ratio: median(cpuRatios),
    worker_cpu_ratio_of_runs: cpuRatios,
    ...describeService(runs),
  };
}

function byLatency(
  measurements: readonly Measurement[],
  describeOne: (measurement: Measurement) => Record<string, unknown>,
): Record<string, unknown> {
  return Object.fromEntries(
    measurements.map((measurement) => [
      `latency_${measurement.latencyMs}_ms`,
      describeOne(measurement),
    ]),
  );
}
