import { say } from '../scripts/cli/run-program';
import { startProgram } from './child-program';
import { cpuSeconds, rounded } from './process-stats';
import type { ReferenceResult, ReferenceTask } from './reference-client';

export interface ReferenceRun {
  readonly requestsPerSecond: number;
  readonly clientCpuMicrosPerRequest: number;
  readonly upstreamCpuMicrosPerRequest: number;
}

/** Runs the bare client once, in a process of its own, against the upstream with this id. */
export async function runReference(
  task: ReferenceTask,
  upstreamPid: number,
): Promise<ReferenceRun> {
  const upstreamBefore = cpuSeconds(upstreamPid);
  const client = await startProgram<ReferenceResult>('reference-client', task);
  await client.stop();
  const { requests, allRequests, seconds, cpuSeconds: clientSeconds } = client.output;
  const upstreamSeconds = cpuSeconds(upstreamPid) - upstreamBefore;
  const run = {
    requestsPerSecond: Math.round(requests / seconds),
    clientCpuMicrosPerRequest: rounded((clientSeconds * 1e6) / requests),
    upstreamCpuMicrosPerRequest: rounded((upstreamSeconds * 1e6) / allRequests),
  };
  say(`Reference: ${run.requestsPerSecond} requests per second`);
  return run;
}

export function meanOf(runs: readonly ReferenceRun[]): ReferenceRun {
  const mean = (value: (run: ReferenceRun) => number): number =>
    rounded(runs.reduce((sum, run) => sum + value(run), 0) / runs.length);
  return {
    requestsPerSecond: mean((run) => run.requestsPerSecond),
    clientCpuMicrosPerRequest: mean((run) => run.clientCpuMicrosPerRequest),
    upstreamCpuMicrosPerRequest: mean((run) => run.upstreamCpuMicrosPerRequest),
  };
}

/** Runs that differ by more than a fifth: something else kept the machine busy meanwhile. */
export function isDisturbed(runs: readonly ReferenceRun[]): boolean {
  const rates = runs.map((run) => run.requestsPerSecond);
  return Math.max(...rates) > 1.2 * Math.min(...rates);
}

export function referenceJson(runs: readonly ReferenceRun[]): Record<string, unknown> {
  const mean = meanOf(runs);
  return {
    client: 'undici.request',
    requests_per_second: mean.requestsPerSecond,
    requests_per_second_of_runs: runs.map((run) => run.requestsPerSecond),
    disturbed: isDisturbed(runs),
    client_cpu_us_per_request: mean.clientCpuMicrosPerRequest,
    upstream_cpu_us_per_request: mean.upstreamCpuMicrosPerRequest,
  };
}
