/** One batch through the whole service, from create to terminal. */
import type { Batch } from 'openai/resources';
import { say } from '../scripts/cli/run-program';
import {
  batchUser,
  createBatch,
  isTerminal,
  pollUntil,
  uploadLines,
  verifyResults,
  type BatchUser,
} from './bench-batch';
import { inBenchFolder, inBenchStack, serverPidsOf, workerPidsOf, type Pids } from './bench-stack';
import { watchDisk } from './disk-watch';
import type { LoadUpstream } from './load-upstream';
import { peakRssBytes, rounded, startCpuClock } from './process-stats';
import type { RawUpstreamStats } from './raw-upstream';
import { median, spread } from './statistics';

export interface ServiceLoad {
  readonly lines: number;
  readonly workers: number;
  /** Of each worker; 1 when absent. */
  readonly inferenceProcesses?: number;
  /** Of each process that runs slices, at most; the product's default when absent. */
  readonly inFlight?: number;
  /** Of each request; that of the references when absent. */
  readonly body?: string;
}

export interface ServiceRun {
  readonly requestsPerSecond: number;
  /** Of the batch's usage. */
  readonly tokensPerSecond: number;
  readonly seconds: number;
  /** By process, from create to terminal. */
  readonly cpuSeconds: Readonly<Record<string, number>>;
  readonly cpuMicrosPerRequest: number;
  readonly workerCpuMicrosPerRequest: number;
  readonly upstreamRequests: number;
  readonly outsideInferenceShare: number;
  readonly phaseSeconds: Readonly<Record<Phase, number>>;
  /** The most that the state folder held: the object store, Temporal's database and logs. */
  readonly diskBytes: number;
  /** By process, with what upload and download take. */
  readonly peakRssBytes: Readonly<Record<string, number>>;
}

type Phase = 'upload' | 'validation' | 'inference' | 'finalize' | 'download';

/** Runs it on a stack of its own, which is cold. */
export async function runService(
  load: ServiceLoad,
  upstream: LoadUpstream,
  abort: AbortController,
): Promise<ServiceRun> {
  const { lines, workers, inferenceProcesses = 1, inFlight, body } = load;
  const target = { port: upstream.port, ...(inFlight !== undefined && { inFlight }) };
  const workerEnv = { LONGHAUL_INFERENCE_PROCESSES: String(inferenceProcesses) };
  return await inBenchFolder(async (folder) => {
    const options = { folder, workers, workerEnv, upstream: target };
    return await inBenchStack(options, abort, async (stack) => {
      const user = batchUser(stack, folder, abort.signal);
      const stopDiskWatch = watchDisk(folder);
      const uploadSeconds = startClock();
      const fileId = await uploadLines(user, lines, body);
      const upload = uploadSeconds();
      await upstream.reset();
      const workerPids = workerPidsOf(stack);
      const others = serverPidsOf(stack);
      const stopCpuClock = startCpuClock({
        ...workerPids,
        ...others,
        upstream: upstream.pid,
      });
      say(`Running a batch of ${lines} requests …`);
      const { batch, seconds, phases } = await runBatch(user, fileId);
      const cpuSeconds = stopCpuClock();
      const stats = await upstream.stats();
      const downloadSeconds = startClock();
      await verifyResults(user, batch, { lines, status: 'completed', answered: lines });
      const tokens = batch.usage?.total_tokens ?? NaN;
      say(`Service: ${Math.round(lines / seconds)} requests per second`);
      return {
        requestsPerSecond: lines / seconds,
        tokensPerSecond: tokens / seconds,
        seconds,
        cpuSeconds,
        cpuMicrosPerRequest: (sumOf(cpuSeconds, () => true) * 1e6) / lines,
        workerCpuMicrosPerRequest: (sumOf(cpuSeconds, (name) => name in workerPids) * 1e6) / lines,
        upstreamRequests: stats.requests,
        outsideInferenceShare: outsideInference(stats, seconds),
        phaseSeconds: { upload, ...phases, download: downloadSeconds() },
        diskBytes: await stopDiskWatch(),
        peakRssBytes: peaksOf({ ...others, ...workerPids }),
      };
    });
  });
}

/** From the call that creates a batch until a poll says that it has ended. */
async function runBatch(
  user: BatchUser,
  fileId: string,
): Promise<{
  readonly batch: Batch;
  readonly seconds: number;
  readonly phases: Readonly<Record<'validation' | 'inference' | 'finalize', number>>;
}> {
  const since = startClock();
  const { id } = await createBatch(user, fileId);
  const begun = new Map<Batch['status'], number>();
  const batch = await pollUntil(user, id, (seen) => {
    begun.set(seen.status, begun.get(seen.status) ?? since());
    return isTerminal(seen);
  });
  const seconds = since();
  // A phase that no poll has met was shorter than the time between two.
  const finalizing = begun.get('finalizing') ?? seconds;
  const running = begun.get('in_progress') ?? finalizing;
  const phases = {
    validation: rounded(running),
    inference: rounded(finalizing - running),
    finalize: rounded(seconds - finalizing),
  };
  return { batch, seconds, phases };
}

function startClock(): () => number {
  const startedAt = performance.now();
  return () => rounded((performance.now() - startedAt) / 1000);
}

/** Numbers of several runs: the medians, and every run's own where they matter. */
export function describeService(runs: readonly ServiceRun[]): Record<string, unknown> {
  const rates = runs.map((run) => rounded(run.requestsPerSecond));
  const medianOf = (value: (run: ServiceRun) => number): number => rounded(median(runs.map(value)));
  return {
    requests_per_second: median(rates),
    requests_per_second_of_runs: rates,
    spread: rounded(spread(rates)),
    tokens_per_second: medianOf((run) => run.tokensPerSecond),
    seconds: medianOf((run) => run.seconds),
    worker_cpu_us_per_request: medianOf((run) => run.workerCpuMicrosPerRequest),
    worker_cpu_us_per_request_of_runs: runs.map((run) => rounded(run.workerCpuMicrosPerRequest)),
    cpu_us_per_request: medianOf((run) => run.cpuMicrosPerRequest),
    cpu_seconds_of_runs: runs.map((run) => run.cpuSeconds),
    upstream_requests_of_runs: runs.map((run) => run.upstreamRequests),
    outside_inference_share: medianOf((run) => run.outsideInferenceShare),
    phase_seconds_of_runs: runs.map((run) => run.phaseSeconds),
    disk_bytes_of_runs: runs.map((run) => run.diskBytes),
    peak_rss_bytes_of_runs: runs.map((run) => run.peakRssBytes),
  };
}

function peaksOf(pids: Pids): Record<string, number> {
  return Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, peakRssBytes(pid)]));
}

/** The part of the time before the first request reached the upstream and after the last one. */
function outsideInference(stats: RawUpstreamStats, seconds: number): number {
  const { firstRequestAt, lastRequestAt } = stats;
  if (firstRequestAt === null || lastRequestAt === null) {
    throw new Error('The upstream was never asked.');
  }
  return 1 - (lastRequestAt - firstRequestAt) / 1000 / seconds;
}

function sumOf(
  values: Readonly<Record<string, number>>,
  counts: (name: string) => boolean,
): number {
  return Object.entries(values)
    .filter(([name]) => counts(name))
    .reduce((sum, [, value]) => sum + value, 0);
}
