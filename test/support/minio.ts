/** A real MinIO server of a test's own: free port, own folder, gone when the test process ends. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answersOk } from '../../scripts/local/http';
import { ManagedProcess } from '../../scripts/local/managed-process';
import { freePort, loopback } from '../../scripts/local/ports';
import { Reaper } from '../../scripts/local/reaper';
import { serverBinaries } from '../../scripts/local/server-binaries';
import type { StoreConfig } from '../../src/config/config';

export class MinioServer {
  private constructor(
    /** Of a bucket that does not exist yet. */
    readonly config: StoreConfig,
    private readonly process: ManagedProcess,
    private readonly release: () => void,
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
    const server = new MinioServer(config, managedMinio(config, folder, reaper), () => {
      reaper.close();
      rmSync(folder, { recursive: true, force: true });
    });
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

  /** The server keeps its connections and says nothing. */
  freeze(): void {
    this.process.kill('SIGSTOP');
  }

  thaw(): void {
    this.process.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.process.stop();
    this.release();
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
