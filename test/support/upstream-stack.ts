import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { startStack, type Stack } from '../../scripts/local/stack';
import { demoModel } from '../../scripts/local/upstream-choice';
import { startSimulatedUpstream, type SimulatedUpstream } from '../../scripts/simulated-upstream';

export interface UpstreamStack {
  readonly upstream: SimulatedUpstream;
  readonly stack: Stack;
}

type Environment = Readonly<Record<string, string>>;

/** A stack whose simulated upstream runs in the test itself, to be told how to behave. */
export function useUpstreamStack(options: {
  readonly requestTimeoutSeconds?: number;
  readonly apiEnv?: Environment;
  /** A function is called when the stack is started. */
  readonly workerEnv?: Environment | (() => Environment);
  /** Entries of the upstreams file besides its upstreams. */
  readonly upstreamsFile?: Readonly<Record<string, unknown>>;
  /** What the upstreams file says of the model besides its name. */
  readonly model?: Readonly<Record<string, unknown>>;
}): () => UpstreamStack {
  const { workerEnv = {} } = options;
  let stateDir: string;
  let started: UpstreamStack;
  beforeAll(async () => {
    stateDir = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
    const upstream = await startSimulatedUpstream({ models: [demoModel], latencyMs: 5 });
    const path = join(stateDir, 'upstreams.yaml');
    const entry = {
      name: 'simulated',
      base_url: upstream.baseUrl,
      request_timeout_seconds: options.requestTimeoutSeconds ?? 60,
      max_in_flight: 16,
      models: [{ name: demoModel, ...options.model }],
    };
    writeFileSync(path, stringify({ ...options.upstreamsFile, upstreams: [entry] }));
    const stack = await startStack({
      stateDir: join(stateDir, 'stack'),
      upstream: { kind: 'file', path },
      ...(options.apiEnv !== undefined && { apiEnv: options.apiEnv }),
      workerEnv: typeof workerEnv === 'function' ? workerEnv() : workerEnv,
    });
    started = { upstream, stack };
  }, 120_000);
  afterAll(async () => {
    await started.stack.stop();
    await started.upstream.close();
    rmSync(stateDir, { recursive: true, force: true });
  }, 60_000);
  return () => started;
}
