/** A stack for one measurement: its own empty state folder, free ports, given back at the end. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { say } from '../scripts/cli/run-program';
import { describeExit, type ManagedProcess } from '../scripts/local/managed-process';
import { projectRoot } from '../scripts/local/project-root';
import { startStack, type Stack, type StackOptions } from '../scripts/local/stack';

export const benchModel = 'bench-model';

export interface BenchUpstream {
  readonly port: number;
  readonly inFlight: number;
  /** For one attempt; the product's default when absent. */
  readonly requestTimeoutSeconds?: number;
}

/** Files of a measurement are below this folder, which is removed with it. */
export interface BenchFolder {
  readonly path: string;
  remove(): void;
}

export function makeBenchFolder(): BenchFolder {
  const path = join(projectRoot, '.longhaul', 'bench', String(process.pid));
  mkdirSync(path, { recursive: true });
  return {
    path,
    remove: () => {
      rmSync(path, { recursive: true, force: true });
    },
  };
}

export interface BenchStackOptions extends Pick<StackOptions, 'parts' | 'apiEnv' | 'simulatorEnv'> {
  readonly folder: BenchFolder;
  /** One of the benchmark's own, or the simulated upstream, which serves the same model. */
  readonly upstream: BenchUpstream | 'simulated';
}

/** A process of the stack that ends by itself aborts the measurement. */
export async function startBenchStack(
  { folder, upstream, ...options }: BenchStackOptions,
  abort: AbortController,
): Promise<Stack> {
  say('Starting the stack …');
  return await startStack({
    ...options,
    stateDir: join(folder.path, 'state'),
    upstream:
      upstream === 'simulated'
        ? { kind: 'simulated', models: [benchModel] }
        : { kind: 'file', path: writeUpstreamsFile(folder, upstream) },
    signal: abort.signal,
    onCrash: (process, exit) => {
      abort.abort(process.failure(describeExit(exit)));
    },
  });
}

/** One more worker; the upstream is told its name, `worker-1` and so on, with each request. */
export async function addBenchWorker(
  stack: Stack,
  {
    folder,
    upstream,
    env,
  }: {
    readonly folder: BenchFolder;
    readonly upstream: BenchUpstream;
    readonly env: Readonly<Record<string, string>> | undefined;
  },
): Promise<ManagedProcess> {
  const caller = `worker-${stack.workers.length + 1}`;
  const upstreamsFile = writeUpstreamsFile(folder, upstream, caller);
  return await stack.addWorker({ LONGHAUL_UPSTREAMS_FILE: upstreamsFile, ...env });
}

function writeUpstreamsFile(folder: BenchFolder, upstream: BenchUpstream, caller?: string): string {
  const path = join(folder.path, `upstreams${caller === undefined ? '' : `-${caller}`}.yaml`);
  const { port, inFlight, requestTimeoutSeconds } = upstream;
  const entry = {
    name: 'bench',
    base_url: `http://127.0.0.1:${port}${caller === undefined ? '' : `/${caller}`}/v1`,
    max_in_flight: inFlight,
    ...(requestTimeoutSeconds !== undefined && { request_timeout_seconds: requestTimeoutSeconds }),
    models: [benchModel],
  };
  writeFileSync(path, stringify({ upstreams: [entry] }));
  return path;
}
