/** A real MinIO server of a test's own: free port, own folder, gone when the test process ends. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { answersOk } from '../../scripts/local/http';
import { ManagedProcess } from '../../scripts/local/managed-process';
import { freePort, loopback } from '../../scripts/local/ports';
import { Reaper } from '../../scripts/local/reaper';
import { serverBinaries } from '../../scripts/local/server-binaries';
import { waitUntil } from '../../scripts/local/wait';
import type { StoreConfig } from '../../src/config/config';

export class MinioServer {
  private constructor(
    /** Of a bucket that does not exist yet. */
    readonly config: StoreConfig,
    private readonly process: ManagedProcess,
    private readonly folder: string,
    private readonly reaper: Reaper,
  ) {}

  /** @throws when there is no server program: without one these tests would prove nothing. */
  static async start(): Promise<MinioServer> {
    const config = {
      endpoint: `http://${loopback}:${await freePort()}`,
      region: 'us-east-1',
      bucket: 'longhaul-test',
      accessKey: randomBytes(8).toString('hex'),
      secretKey: randomBytes(16).toString('hex'),
    };
    const folder = mkdtempSync(join(tmpdir(), 'longhaul-minio-'));
    const reaper = new Reaper();
    const process = managedMinio(config, folder, reaper);
    const server = new MinioServer(config, process, folder, reaper);
    await server.process.start();
    return server;
  }

  /** SIGKILL: the server has no chance to finish anything. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.process.exited;
  }

  /** Starts a killed server again, on the same port and with the same data. */
  async restart(): Promise<void> {
    await this.process.restart();
  }

  /** From then on the server keeps its connections and says nothing. */
  async freeze(): Promise<void> {
    this.process.kill('SIGSTOP');
    await waitUntil(async () => !(await isAnswering(this.config.endpoint)), {
      what: 'MinIO to be silent',
      timeoutMs: 10_000,
    });
  }

  thaw(): void {
    this.process.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.process.stop();
    this.reaper.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** How many multipart uploads were neither completed nor aborted. */
  unfinishedUploads(): number {
    const folder = join(this.folder, 'data', '.minio.sys', 'multipart');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    return files.filter((file) => basename(file) === 'xl.meta').length;
  }
}

function managedMinio(config: StoreConfig, folder: string, reaper: Reaper): ManagedProcess {
  const data = join(folder, 'data');
  const certificates = join(folder, 'certificates');
  mkdirSync(data);
  mkdirSync(certificates);
  const spec = {
    name: 'MinIO',
    command: serverBinaries().minio,
    args: [
      ...['server', data, '--quiet', '--address', new URL(config.endpoint).host],
      ...['--certs-dir', certificates],
    ],
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      MINIO_ROOT_USER: config.accessKey,
      MINIO_ROOT_PASSWORD: config.secretKey,
      MINIO_BROWSER: 'off',
      MINIO_UPDATE: 'off',
    },
    logFile: join(folder, 'minio.log'),
    isReady: () => answersOk(`${config.endpoint}/minio/health/ready`),
    readyTimeoutMs: 60_000,
    graceMs: 10_000,
  };
  const { signal } = new AbortController();
  return new ManagedProcess(spec, { reaper, signal, onCrash: () => undefined });
}

async function isAnswering(endpoint: string): Promise<boolean> {
  try {
    await fetch(endpoint, { signal: AbortSignal.timeout(300) });
    return true;
  } catch {
    return false;
  }
}
