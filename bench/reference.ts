import { say } from '../scripts/cli/run-program';
import { startProgram } from './child-program';
import { cpuSeconds, rounded } from './process-stats';
import type { ReferenceResult, ReferenceTask } from './reference-client';
import { mean, median, spread } from './statistics';

export interface ReferenceRun {
  /** Of all clients together. */
  readonly requestsPerSecond: number;
  readonly clientCpuMicrosPerRequest: number;
  readonly upstreamCpuMicrosPerRequest: number;
}

/**
 * Runs so many bare clients at a time, each in a process of its own and with the same task, against
 * the upstream with this id.
 */
export async function runReference(
  task: ReferenceTask,
  { clients, upstreamPid }: { readonly clients: number; readonly upstreamPid: number },
): Promise<ReferenceRun> {
  const upstreamBefore = cpuSeconds(upstreamPid);
  const results = await Promise.all(Array.from({ length: clients }, () => runClient(task)));
  const upstreamSeconds = cpuSeconds(upstreamPid) - upstreamBefore;
  const sum = (value: (result: ReferenceResult) => number): number =>
    results.reduce((total, result) => total + value(result), 0);
  const run = {
    requestsPerSecond: Math.round(sum(({ requests, seconds }) => requests / seconds)),
    clientCpuMicrosPerRequest: rounded(
      (sum((result) => result.cpuSeconds) * 1e6) / sum(({ requests }) => requests),
    ),
    upstreamCpuMicrosPerRequest: rounded(
      (upstreamSeconds * 1e6) / sum(({ allRequests }) => allRequests),
    ),
  };
  say(`Reference: ${run.requestsPerSecond} requests per second`);
  return run;
}

async function runClient(task: ReferenceTask): Promise<ReferenceResult> {
  const client = await startProgram<ReferenceResult>('reference-client', task);
  await client.stop();
  return client.output;
}

export function meanOf(runs: readonly ReferenceRun[]): ReferenceRun {
  return {
    requestsPerSecond: mean(runs.map((run) => run.requestsPerSecond)),
    clientCpuMicrosPerRequest: mean(runs.map((run) => run.clientCpuMicrosPerRequest)),
    upstreamCpuMicrosPerRequest: mean(runs.map((run) => run.upstreamCpuMicrosPerRequest)),
  };
}

/** Runs that differ by more than a fifth: something else kept the machine busy meanwhile. */
export function isDisturbed(runs: readonly ReferenceRun[]): boolean {
  const rates = runs.map((run) => run.requestsPerSecond);
  return Math.max(...rates) > 1.2 * Math.min(...rates);
}

export function referenceJson(
  runs: readonly ReferenceRun[],
  clients: number,
): Record<string, unknown> {
  const rates = runs.map((run) => run.requestsPerSecond);
  return {
    client: 'undici.request',
    processes: clients,
    requests_per_second: median(rates),
    requests_per_second_of_runs: rates,
    spread: rounded(spread(rates)),
    disturbed: isDisturbed(runs),
    client_cpu_us_per_request: median(runs.map((run) => run.clientCpuMicrosPerRequest)),
    upstream_cpu_us_per_request: median(runs.map((run) => run.upstreamCpuMicrosPerRequest)),
  };
}
