/** A worker of another version of the workflows, beside the stack that it works for. */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ManagedProcess } from '../../scripts/local/managed-process';
import { projectRoot } from '../../scripts/local/project-root';
import { Reaper } from '../../scripts/local/reaper';
import type { Stack } from '../../scripts/local/stack';

const bundlePath = join(projectRoot, 'dist/workflow-bundle.js');

/** The code of the workflows as they are built. */
export function builtBundle(): string {
  return readFileSync(bundlePath, 'utf8');
}

/** @throws Error when there is nothing to change: the test would prove nothing. */
export function changedBundle(from: string, to: string): string {
  const code = builtBundle();
  if (!code.includes(from)) {
    throw new Error(`The bundle of the workflows has no ${from}`);
  }
  return code.replace(from, to);
}

export class OtherVersion {
  private readonly reaper = new Reaper();
  private readonly worker: ManagedProcess;

  /** @param folder an empty one, which the other build is put into. */
  constructor(stack: Stack, folder: string, bundle: string) {
    cpSync(join(projectRoot, 'dist'), join(folder, 'dist'), { recursive: true });
    symlinkSync(join(projectRoot, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'dist/workflow-bundle.js'), bundle);
    mkdirSync(join(folder, 'logs'));
    const spec = {
      name: 'The worker of another version',
      command: process.execPath,
      args: ['--enable-source-maps', join(folder, 'dist/src/worker/main.js')],
      env: workerEnvironment(stack),
      logFile: join(folder, 'logs/worker.log'),
      isReady: (logText: string) => logText.includes('"worker is running"'),
      readyTimeoutMs: 60_000,
      graceMs: 20_000,
    };
    const { signal } = new AbortController();
    const { reaper } = this;
    this.worker = new ManagedProcess(spec, { reaper, signal, onCrash: () => undefined });
  }

  async start(): Promise<void> {
    await this.worker.start();
  }

  async stop(): Promise<void> {
    await this.worker.stop();
    this.reaper.close();
  }
}

function workerEnvironment({ temporal, store, upstreamsFile }: Stack): NodeJS.ProcessEnv {
  return {
    ...process.env,
    LONGHAUL_TEMPORAL_ADDRESS: temporal.address,
    LONGHAUL_TEMPORAL_NAMESPACE: temporal.namespace,
    LONGHAUL_S3_ENDPOINT: store.endpoint,
    LONGHAUL_S3_REGION: store.region,
    LONGHAUL_S3_BUCKET: store.bucket,
    LONGHAUL_S3_ACCESS_KEY: store.accessKey,
    LONGHAUL_S3_SECRET_KEY: store.secretKey,
    LONGHAUL_UPSTREAMS_FILE: upstreamsFile,
  };
}
