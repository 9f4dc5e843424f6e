/**
 * The local stack: a real Temporal, a real MinIO, a simulated or a given upstream, API and workers,
 * as child processes on loopback. Demo, start, tests and benchmarks run on it; only the addresses
 * differ from production.
 *
 * No process outlives its stack: `stop()` ends them in order, and a {@link Reaper} kills them when
 * the process that started the stack is gone without having called it.
 */
import { mkdirSync } from 'node:fs';
import {
  apiSpec,
  bucket,
  region,
  simulatedUpstreamSpec,
  workerSpec,
  type ApplicationContext,
  type ProcessEnvironment,
} from './application';
import { prepareLog } from './logs';
import { ManagedProcess, type ProcessExit, type ProcessSpec } from './managed-process';
import { minioSpec } from './minio';
import { assertPortsFree, completePorts, loopback, type PortName, type Ports } from './ports';
import { Reaper } from './reaper';
import { openStateFolder, type StateFolder } from './state-folder';
import { ensureSearchAttributes, temporalNamespace, temporalSpec } from './temporal';
import { demoModel, writeUpstreamsFile, type UpstreamChoice } from './upstream-choice';

const stackParts = ['minio', 'temporal', 'upstream', 'api', 'workers'] as const;
type StackPart = (typeof stackParts)[number];

export interface StackOptions {
  /** An absolute path; everything is kept below it, and a later stack there goes on with it. */
  readonly stateDir: string;
  /** What is started; everything when absent. */
  readonly parts?: readonly StackPart[];
  /** Those that are absent are chosen from the free ones. */
  readonly ports?: Partial<Ports>;
  /** The simulated upstream when absent. */
  readonly upstream?: UpstreamChoice;
  /** Settings on top of those that the stack makes; `src/config/config.ts` has them all. */
  readonly apiEnv?: ProcessEnvironment;
  readonly workerEnv?: ProcessEnvironment;
  /** Settings of the simulated upstream, as in `scripts/simulated-upstream-main.ts`. */
  readonly simulatorEnv?: ProcessEnvironment;
  /** Workers at the start, 1 when absent. */
  readonly workers?: number;
  /** Called when a process has ended that nobody told to; nothing is restarted by itself. */
  readonly onCrash?: (process: ManagedProcess, exit: ProcessExit) => void;
  /** Gives the stack up while it is being started; what was started is stopped. */
  readonly signal?: AbortSignal;
}

export interface Stack {
  readonly state: StateFolder;
  /** For an OpenAI client: ends in `/v1`. */
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly temporal: {
    readonly address: string;
    readonly namespace: string;
    readonly uiUrl: string;
  };
  readonly store: {
    readonly endpoint: string;
    readonly region: string;
    readonly bucket: string;
    readonly accessKey: string;
    readonly secretKey: string;
    readonly consoleUrl: string;
  };
  /** The simulated upstream, without `/v1`: its `/_stats` and `/_control` are below. */
  readonly upstreamUrl: string;
  readonly upstreamsFile: string;
  /** @throws when that part was not started. */
  process(part: Exclude<StackPart, 'workers'>): ManagedProcess;
  readonly workers: readonly ManagedProcess[];
  /** Starts one more worker, with settings on top of those of the others. */
  addWorker(env?: ProcessEnvironment): Promise<ManagedProcess>;
  /** Ends everything: workers, API, upstream, Temporal, MinIO. May be called again. */
  stop(): Promise<void>;
}

const portsOfPart: Readonly<Record<StackPart, readonly PortName[]>> = {
  minio: ['minio', 'minioConsole'],
  temporal: ['temporal', 'temporalUi'],
  upstream: ['upstream'],
  api: ['api'],
  workers: [],
};

/**
 * Resolves when everything is ready for use.
 *
 * @throws `LocalError` when a port or the state folder is in use, or a process does not become
 *   ready; what was started has then been stopped.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { upstream = { kind: 'simulated' } } = options;
  const parts = (options.parts ?? stackParts).filter(
    (part) => part !== 'upstream' || upstream.kind === 'simulated',
  );
  const ports = await completePorts(options.ports ?? {});
  await assertPortsFree(
    Object.fromEntries(
      parts.flatMap((part) => portsOfPart[part]).map((name) => [name, ports[name]]),
    ),
  );
  const state = openStateFolder(options.stateDir);
  mkdirSync(state.minioData, { recursive: true });
  const upstreamsFile = writeUpstreamsFile(state.upstreamsFile, upstream, ports.upstream);
  const stack = new LocalStack({ state, ports, upstreamsFile }, options);
  try {
    await stack.start(parts);
  } catch (error) {
    await stack.stop();
    throw error;
  }
  return stack;
}

class LocalStack implements Stack {
  readonly state: StateFolder;
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly temporal: Stack['temporal'];
  readonly store: Stack['store'];
  readonly upstreamUrl: string;
  readonly upstreamsFile: string;
  readonly workers: ManagedProcess[] = [];
  private readonly processes = new Map<StackPart, ManagedProcess>();
  private readonly reaper = new Reaper();
  private readonly givenUp = new AbortController();

  constructor(
    private readonly context: ApplicationContext,
    private readonly options: StackOptions,
  ) {
    const { state, ports, upstreamsFile } = context;
    this.state = state;
    this.baseUrl = `http://${loopback}:${ports.api}/v1`;
    this.apiKey = state.credentials.apiKey;
    this.temporal = {
      address: `${loopback}:${ports.temporal}`,
      namespace: temporalNamespace,
      uiUrl: `http://${loopback}:${ports.temporalUi}`,
    };
    this.store = {
      endpoint: `http://${loopback}:${ports.minio}`,
      region,
      bucket,
      accessKey: state.credentials.minioUser,
      secretKey: state.credentials.minioPassword,
      consoleUrl: `http://${loopback}:${ports.minioConsole}`,
    };
    this.upstreamUrl = `http://${loopback}:${ports.upstream}`;
    this.upstreamsFile = upstreamsFile;
  }

  async start(parts: readonly StackPart[]): Promise<void> {
    const { state, ports } = this.context;
    const startPart = async (part: StackPart, spec: () => ProcessSpec): Promise<void> => {
      if (parts.includes(part)) {
        const process = this.makeProcess(spec());
        this.processes.set(part, process);
        await process.start();
      }
    };
    await Promise.all([
      startPart('minio', () => minioSpec(state, ports)),
      startPart('temporal', () => temporalSpec(state, ports)),
      startPart('upstream', () => simulatedUpstreamSpec(state, ports, this.simulatorEnvironment())),
    ]);
    if (parts.includes('temporal')) {
      await ensureSearchAttributes(this.temporal.address);
    }
    const workerCount = parts.includes('workers') ? (this.options.workers ?? 1) : 0;
    await Promise.all([
      startPart('api', () => apiSpec(this.context, this.options.apiEnv ?? {})),
      ...Array.from({ length: workerCount }, () => this.addWorker()),
    ]);
  }

  process(part: Exclude<StackPart, 'workers'>): ManagedProcess {
    const process = this.processes.get(part);
    if (process === undefined) {
      throw new Error(`This stack has been started without ${part}.`);
    }
    return process;
  }

  async addWorker(env: ProcessEnvironment = {}): Promise<ManagedProcess> {
    const settings = { ...this.options.workerEnv, ...env };
    const worker = this.makeProcess(workerSpec(this.context, this.workers.length + 1, settings));
    this.workers.push(worker);
    await worker.start();
    return worker;
  }

  async stop(): Promise<void> {
    this.givenUp.abort(new Error('The stack is being stopped.'));
    await Promise.all(this.workers.map((worker) => worker.stop()));
    for (const part of ['api', 'upstream', 'temporal', 'minio'] as const) {
      await this.processes.get(part)?.stop();
    }
    this.reaper.close();
    this.state.release();
  }

  private simulatorEnvironment(): ProcessEnvironment {
    const { upstream, simulatorEnv } = this.options;
    const models = upstream?.kind === 'simulated' ? upstream.models : undefined;
    return {
      LONGHAUL_SIMULATOR_MODELS: (models ?? [demoModel]).join(','),
      ...simulatorEnv,
    };
  }

  private makeProcess(spec: ProcessSpec): ManagedProcess {
    prepareLog(spec.logFile);
    const { signal, onCrash } = this.options;
    const signals = [this.givenUp.signal, ...(signal === undefined ? [] : [signal])];
    return new ManagedProcess(spec, {
      reaper: this.reaper,
      signal: AbortSignal.any(signals),
      onCrash: (process, exit) => onCrash?.(process, exit),
    });
  }
}
