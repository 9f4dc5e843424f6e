/** How much of what a bare HTTP client can do is left when the whole service does it. */
import { request } from 'undici';
import { say } from '../../scripts/cli/run-program';
import type { Stack } from '../../scripts/local/stack';
import {
  batchUser,
  createBatch,
  isTerminal,
  pollUntil,
  uploadLines,
  verifyResults,
} from '../bench-batch';
import { inBenchFolder, inBenchStack } from '../bench-stack';
import { startProgram, type ChildProgram } from '../child-program';
import { parseNumbers } from '../parse-numbers';
import { peakRssBytes, rounded, startCpuClock } from '../process-stats';
import type { RawUpstreamStats } from '../raw-upstream';
import { isDisturbed, meanOf, referenceJson, runReference } from '../reference';
import type { Findings } from '../report';
import { requestBody } from '../request-lines';

export const throughputHelp = `throughput: requests per second from create to terminal, over those of undici.request
  --lines N               requests in the batch (50000)
  --in-flight N           requests in flight, of service and reference alike (64)
  --reference-requests N  requests in each of the two runs of the reference (100000)`;

const defaults = { lines: 50_000, 'in-flight': 64, 'reference-requests': 100_000 };

const ratioMin = 0.3;

interface Parameters {
  readonly lines: number;
  readonly inFlight: number;
  readonly referenceRequests: number;
}

type RawUpstream = ChildProgram<{ readonly port: number }>;

export async function runThroughput(
  args: readonly string[],
  abort: AbortController,
): Promise<Findings> {
  const given = parseNumbers(args, defaults);
  const parameters = {
    lines: given.lines,
    inFlight: given['in-flight'],
    referenceRequests: given['reference-requests'],
  };
  return await inBenchFolder(async (folder) => {
    const upstream: RawUpstream = await startProgram('raw-upstream');
    try {
      const task = {
        url: `http://127.0.0.1:${upstream.output.port}/v1/chat/completions`,
        requests: parameters.referenceRequests,
        inFlight: parameters.inFlight,
        body: requestBody,
      };
      const before = await runReference(task, upstream.pid);
      const service = await measureService({ parameters, folder, upstream }, abort);
      const after = await runReference(task, upstream.pid);
      const reference = meanOf([before, after]);
      const disturbed = isDisturbed([before, after]);
      say(disturbed ? 'The two references differ by more than a fifth: run it again.' : 'Done.');
      const ratio = rounded(service.requestsPerSecond / reference.requestsPerSecond);
      return {
        ratio,
        bar: {
          asks: `ratio of at least ${ratioMin}, in a run that was not disturbed`,
          met: ratio >= ratioMin && !disturbed,
        },
        reference: referenceJson([before, after]),
        ...service.json,
        parameters: {
          lines: parameters.lines,
          in_flight: parameters.inFlight,
          reference_requests: parameters.referenceRequests,
          body_bytes: Buffer.byteLength(requestBody),
        },
      };
    } finally {
      await upstream.stop();
    }
  });
}

interface Service {
  readonly requestsPerSecond: number;
  readonly json: Record<string, unknown>;
}

async function measureService(
  given: {
    readonly parameters: Parameters;
    readonly folder: string;
    readonly upstream: RawUpstream;
  },
  abort: AbortController,
): Promise<Service> {
  const { parameters, folder, upstream } = given;
  const { lines, inFlight } = parameters;
  const target = { port: upstream.output.port, inFlight };
  return await inBenchStack({ folder, upstream: target }, abort, async (stack) => {
    const user = batchUser(stack, folder, abort.signal);
    const fileId = await uploadLines(user, lines);
    await askUpstream(upstream, '_reset');
    const pids = pidsOf(stack, upstream);
    const stopCpuClock = startCpuClock(pids);
    say(`Running a batch of ${lines} requests …`);
    const startedAt = performance.now();
    const { id } = await createBatch(user, fileId);
    const batch = await pollUntil(user, id, isTerminal);
    const seconds = (performance.now() - startedAt) / 1000;
    const cpu = stopCpuClock();
    const stats = await askUpstream(upstream, '_stats');
    await verifyResults(user, batch, { lines, status: 'completed', answered: lines });
    const requestsPerSecond = lines / seconds;
    say(`Service: ${Math.round(requestsPerSecond)} requests per second`);
    return {
      requestsPerSecond,
      json: {
        service: {
          requests_per_second: rounded(requestsPerSecond),
          seconds: rounded(seconds),
          cpu_seconds: cpu,
          cpu_us_per_request: rounded((sumOf(cpu) * 1e6) / lines),
          upstream_requests: stats.requests,
        },
        outside_inference_share: outsideInference(stats, seconds),
        peak_rss_bytes: { api: peakRssBytes(pids.api), worker: peakRssBytes(pids.worker) },
      },
    };
  });
}

function pidsOf(stack: Stack, upstream: RawUpstream): Record<'worker' | 'api', number> {
  const [worker] = stack.workers;
  if (worker === undefined) {
    throw new Error('The stack has no worker.');
  }
  const servers = {
    minio: stack.process('minio').pid,
    temporal: stack.process('temporal').pid,
    upstream: upstream.pid,
  };
  return { worker: worker.pid, api: stack.process('api').pid, ...servers };
}

async function askUpstream(
  upstream: RawUpstream,
  what: '_stats' | '_reset',
): Promise<RawUpstreamStats> {
  const { body } = await request(`http://127.0.0.1:${upstream.output.port}/${what}`);
  return (await body.json()) as RawUpstreamStats;
}

/** The part of the time before the first request reached the upstream and after the last one. */
function outsideInference(stats: RawUpstreamStats, seconds: number): number {
  const { firstRequestAt, lastRequestAt } = stats;
  if (firstRequestAt === null || lastRequestAt === null) {
    throw new Error('The upstream was never asked.');
  }
  return rounded(1 - (lastRequestAt - firstRequestAt) / 1000 / seconds);
}

function sumOf(values: Readonly<Record<string, number>>): number {
  return Object.values(values).reduce((sum, value) => sum + value, 0);
}
