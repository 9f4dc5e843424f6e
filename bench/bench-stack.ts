/** A stack for one measurement: its own empty state folder, free ports, given back at the end. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { say } from '../scripts/cli/run-program';
import { describeExit, type ManagedProcess } from '../scripts/local/managed-process';
import { projectRoot } from '../scripts/local/project-root';
import { startStack, type Stack, type StackOptions } from '../scripts/local/stack';
import { processTree } from './process-stats';

export const benchModel = 'bench-model';

export interface BenchUpstream {
  readonly port: number;
  /** At most; the product's default when absent. */
  readonly inFlight?: number;
  /** For one attempt; the product's default when absent. */
  readonly requestTimeoutSeconds?: number;
}

/** The parts of a stack whose workers, if any, are added later. */
export const partsWithoutWorkers = ['minio', 'temporal', 'api'] as const;

/** Makes a folder for the files of a measurement, and removes it when that has ended. */
export async function inBenchFolder<T>(measure: (folder: string) => Promise<T>): Promise<T> {
  const folder = join(projectRoot, '.longhaul', 'bench', String(process.pid));
  mkdirSync(folder, { recursive: true });
  try {
    return await measure(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface BenchStackOptions extends Pick<
  StackOptions,
  'parts' | 'apiEnv' | 'simulatorEnv' | 'workers' | 'workerEnv'
> {
  readonly folder: string;
  /** One of the benchmark's own, or the simulated upstream, which serves the same model. */
  readonly upstream: BenchUpstream | 'simulated';
}

/**
 * Starts a stack, and stops it when the measurement has ended. A process of it that ends by itself
 * aborts the measurement.
 */
export async function inBenchStack<T>(
  { folder, upstream, ...options }: BenchStackOptions,
  abort: AbortController,
  measure: (stack: Stack) => Promise<T>,
): Promise<T> {
  say('Starting the stack …');
  const stack = await startStack({
    ...options,
    stateDir: join(folder, 'state'),
    upstream:
      upstream === 'simulated'
        ? { kind: 'simulated', models: [benchModel] }
        : { kind: 'file', path: writeUpstreamsFile(folder, upstream) },
    signal: abort.signal,
    onCrash: (process, exit) => {
      abort.abort(process.failure(describeExit(exit)));
    },
  });
  try {
    return await measure(stack);
  } finally {
    await stack.stop();
  }
}

/** One more worker; the upstream is told its name, `worker-1` and so on, with each request. */
export async function addBenchWorker(
  stack: Stack,
  {
    folder,
    upstream,
    env,
  }: {
    readonly folder: string;
    readonly upstream: BenchUpstream;
    readonly env: Readonly<Record<string, string>> | undefined;
  },
): Promise<ManagedProcess> {
  const caller = `worker-${stack.workers.length + 1}`;
  const upstreamsFile = writeUpstreamsFile(folder, upstream, caller);
  return await stack.addWorker({ LONGHAUL_UPSTREAMS_FILE: upstreamsFile, ...env });
}

function writeUpstreamsFile(folder: string, upstream: BenchUpstream, caller?: string): string {
  const path = join(folder, `upstreams${caller === undefined ? '' : `-${caller}`}.yaml`);
  const { port, inFlight, requestTimeoutSeconds } = upstream;
  const entry = {
    name: 'bench',
    base_url: `http://127.0.0.1:${port}${caller === undefined ? '' : `/${caller}`}/v1`,
    ...(inFlight !== undefined && { max_in_flight: inFlight }),
    ...(requestTimeoutSeconds !== undefined && { request_timeout_seconds: requestTimeoutSeconds }),
    models: [benchModel],
  };
  writeFileSync(path, stringify({ upstreams: [entry] }));
  return path;
}

export type Pids = Readonly<Record<string, number>>;

/** The processes of a stack that are there once. */
export function serverPidsOf(stack: Stack): Pids {
  return {
    api: stack.process('api').pid,
    minio: stack.process('minio').pid,
    temporal: stack.process('temporal').pid,
  };
}

/** The workers, and what they have started: `worker_1`, `worker_1_1` and so on. */
export function workerPidsOf(stack: Stack): Pids {
  return Object.fromEntries(
    stack.workers.flatMap((worker, index) =>
      processTree(worker.pid).map((pid, at) => [
        `worker_${index + 1}${at === 0 ? '' : `_${at}`}`,
        pid,
      ]),
    ),
  );
}
