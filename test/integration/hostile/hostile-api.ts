/** The built API on a real store, watched for stalls of its event loop. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { storeEnvironment } from '../../../scripts/local/application';
import { answersOk } from '../../../scripts/local/http';
import { freePort } from '../../../scripts/local/ports';
import { projectRoot } from '../../../scripts/local/project-root';
import { waitUntil } from '../../../scripts/local/wait';
import type { StoreConfig } from '../../../src/config/config';
import { apiKey, type HostileCase } from './corpus/hostile-case';

/** A time in which the event loop did nothing else, both by the clock and by the processor's. */
export interface Stall {
  /** Unix milliseconds. */
  readonly endedAt: number;
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** What came back over one connection until it was closed. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export class HostileApi {
  private text = '';

  private constructor(
    readonly port: number,
    private readonly process: ChildProcess,
  ) {
    for (const stream of [process.stdout, process.stderr]) {
      stream?.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
    }
  }

  static async start(store: StoreConfig, folder: string): Promise<HostileApi> {
    const port = await freePort();
    const upstreamsFile = join(folder, 'upstreams.yaml');
    writeFileSync(
      upstreamsFile,
      'upstreams: [{ name: one, base_url: "http://127.0.0.1:9/v1", models: [small] }]',
    );
    const watch = join(projectRoot, 'test', 'support', 'stall-watch.cjs');
    const program = join(projectRoot, 'dist', 'src', 'api', 'main.js');
    const child = spawn(process.execPath, ['--require', watch, program], {
      env: {
        PATH: process.env['PATH'],
        LONGHAUL_API_PORT: String(port),
        LONGHAUL_API_KEY: apiKey,
        LONGHAUL_FILE_BYTES_MAX: String(1_048_576),
        LONGHAUL_UPLOAD_IDLE_TIMEOUT_MS: '500',
        LONGHAUL_LOG_LEVEL: 'debug',
        ...storeEnvironment(store),
        LONGHAUL_UPSTREAMS_FILE: upstreamsFile,
        // Nothing of the corpus may get as far as to need an engine.
        LONGHAUL_TEMPORAL_ADDRESS: '127.0.0.1:9',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const api = new HostileApi(port, child);
    await waitUntil(async () => await answersOk(`http://127.0.0.1:${port}/healthz`), {
      what: 'the API to answer',
      timeoutMs: 30_000,
    });
    return api;
  }

  get isAlive(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  get log(): string {
    return this.text;
  }

  /** Sends bytes, leaves its half of the connection open, and reads until the other side closes. */
  async exchange({ bytes, isSlow }: Pick<HostileCase, 'bytes' | 'isSlow'>): Promise<RawAnswer> {
    return await new Promise<RawAnswer>((resolve, reject) => {
      const socket = connect(this.port, '127.0.0.1', () => {
        if (isSlow === true) {
          writeSlowly(socket, bytes);
        } else {
          socket.write(bytes);
        }
      });
      const chunks: Buffer[] = [];
      socket.setTimeout(20_000, () => socket.destroy(new Error('no answer within 20 s')));
      socket.on('data', (chunk) => chunks.push(chunk));
      // A server that has answered and closed may reset what still arrives.
      socket.on('error', (error) => {
        if (chunks.length === 0) {
          reject(error);
        }
      });
      socket.on('close', () => {
        resolve(parseAnswer(Buffer.concat(chunks).toString('latin1')));
      });
    });
  }

  /** Sends bytes and goes away at once. */
  async sendAndLeave(bytes: Buffer): Promise<void> {
    const socket = connect(this.port, '127.0.0.1');
    await once(socket, 'connect');
    await new Promise<void>((resolve) =>
      socket.write(bytes, () => {
        resolve();
      }),
    );
    socket.resetAndDestroy();
    await once(socket, 'close');
  }

  /** Stalls of the event loop since the last call. */
  async stalls(): Promise<readonly Stall[]> {
    const told = (): string[] =>
      [...this.text.matchAll(/^stalls: (.*)$/gm)].map(([, json = '']) => json);
    const before = told().length;
    this.process.kill('SIGUSR2');
    await waitUntil(() => told().length > before, { what: 'the stalls', timeoutMs: 10_000 });
    return JSON.parse(told().at(-1) ?? '') as Stall[];
  }

  async stop(): Promise<void> {
    this.process.kill('SIGKILL');
    if (this.isAlive) {
      await once(this.process, 'exit');
    }
  }
}

const slowPauseMs = 2;

function writeSlowly(socket: Socket, bytes: Buffer): void {
  socket.setNoDelay(true);
  let at = 0;
  const timer = setInterval(() => {
    socket.write(bytes.subarray(at, at + 1));
    at += 1;
    if (at === bytes.length) {
      clearInterval(timer);
    }
  }, slowPauseMs);
  socket.once('close', () => {
    clearInterval(timer);
  });
}

function parseAnswer(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...headerLines] = text.slice(0, end).split('\r\n');
  const headers = new Map(
    headerLines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1] ?? 0),
    headers,
    body: text.slice(end + 4),
  };
}
