/** Our own processes: API, workers and the simulated upstream, as built in dist/. */
import { join } from 'node:path';
import type { StoreConfig } from '../../src/config/config';
import { answersOk } from './http';
import type { ProcessSpec } from './managed-process';
import { loopback, type Ports } from './ports';
import { projectRoot } from './project-root';
import type { StateFolder } from './state-folder';
import { temporalNamespace } from './temporal';

export type ProcessEnvironment = Readonly<Record<string, string>>;

export interface ApplicationContext {
  readonly state: StateFolder;
  readonly ports: Ports;
  readonly upstreamsFile: string;
}

export const bucket = 'longhaul';
export const region = 'us-east-1';

/** Settings that lead a process of ours to the servers of a stack. */
export function serverEnvironment(
  { minioUser, minioPassword }: StateFolder['credentials'],
  ports: Pick<Ports, 'minio' | 'temporal'>,
): ProcessEnvironment {
  return {
    LONGHAUL_TEMPORAL_ADDRESS: `${loopback}:${ports.temporal}`,
    LONGHAUL_TEMPORAL_NAMESPACE: temporalNamespace,
    ...storeEnvironment({
      endpoint: `http://${loopback}:${ports.minio}`,
      region,
      bucket,
      accessKey: minioUser,
      secretKey: minioPassword,
    }),
  };
}

export function storeEnvironment(store: StoreConfig): ProcessEnvironment {
  return {
    LONGHAUL_S3_ENDPOINT: store.endpoint,
    LONGHAUL_S3_REGION: store.region,
    LONGHAUL_S3_BUCKET: store.bucket,
    LONGHAUL_S3_ACCESS_KEY: store.accessKey,
    LONGHAUL_S3_SECRET_KEY: store.secretKey,
  };
}

export function apiSpec(context: ApplicationContext, extra: ProcessEnvironment): ProcessSpec {
  const { state, ports } = context;
  return {
    name: 'The API',
    ...nodeProgram('src/api/main.js'),
    env: {
      ...applicationEnvironment(context),
      LONGHAUL_API_HOST: loopback,
      LONGHAUL_API_PORT: String(ports.api),
      LONGHAUL_API_KEY: state.credentials.apiKey,
      ...extra,
    },
    logFile: state.logFile('api'),
    isReady: () => answersOk(`http://${loopback}:${ports.api}/healthz`),
    readyTimeoutMs: 60_000,
    graceMs: 15_000,
    isStateless: true,
  };
}

/** @param number 1-based, in its name and the name of its log. */
export function workerSpec(
  context: ApplicationContext,
  number: number,
  extra: ProcessEnvironment,
): ProcessSpec {
  const env = { ...applicationEnvironment(context), ...extra };
  return {
    name: `Worker ${number}`,
    ...nodeProgram('src/worker/main.js'),
    env,
    logFile: context.state.logFile(`worker-${number}`),
    isReady: (logText) => logText.split('"worker is running"').length > processCount(env),
    readyTimeoutMs: 60_000,
    // Longer than a worker takes to let requests in flight finish (LONGHAUL_SHUTDOWN_GRACE_MS).
    graceMs: 20_000,
    isStateless: true,
  };
}

function processCount(env: ProcessSpec['env']): number {
  const { LONGHAUL_WORKER_ROLES: roles, LONGHAUL_INFERENCE_PROCESSES: processes } = env;
  return roles === 'orchestrator' ? 1 : Math.max(1, Number(processes ?? 1));
}

export function simulatedUpstreamSpec(
  state: StateFolder,
  ports: Ports,
  extra: ProcessEnvironment,
): ProcessSpec {
  return {
    name: 'The simulated upstream',
    ...nodeProgram('scripts/simulated-upstream-main.js'),
    env: {
      ...process.env,
      LONGHAUL_SIMULATOR_PORT: String(ports.upstream),
      ...extra,
    },
    logFile: state.logFile('upstream'),
    isReady: () => answersOk(`http://${loopback}:${ports.upstream}/v1/models`),
    readyTimeoutMs: 30_000,
    graceMs: 5_000,
    isStateless: true,
  };
}

function nodeProgram(path: string): Pick<ProcessSpec, 'command' | 'args'> {
  return {
    command: process.execPath,
    args: ['--enable-source-maps', join(projectRoot, 'dist', path)],
  };
}

function applicationEnvironment(
  context: ApplicationContext,
): Readonly<Record<string, string | undefined>> {
  const { state, ports, upstreamsFile } = context;
  return {
    ...process.env,
    ...serverEnvironment(state.credentials, ports),
    LONGHAUL_UPSTREAMS_FILE: upstreamsFile,
  };
}
