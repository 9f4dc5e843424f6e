/**
 * What activities run in, without a server: the ports in memory, a dispatcher that answers as the
 * test says, and Temporal's own mock of an activity's context.
 */
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import {
  createControlActivities,
  createInferenceActivities,
  EndWatch,
  ProgressReporter,
  type ActivityDeps,
  type ControlActivities,
  type HeldBatch,
} from '../../activities';
import { BlockingFileCheck } from '../../activities/file-check';
import type { ModelRoute } from '../../src/config/upstreams';
import type { BatchRecord, EndReason, NewBatch } from '../../src/domain/batch';
import { defaultEndpoints } from '../../src/domain/endpoints';
import type { FilePurpose } from '../../src/domain/file';
import type { FileId } from '../../src/domain/ids';
import {
  batchLinesMax,
  fileBytesMax,
  filesMaxDefault,
  openBatchesMaxDefault,
} from '../../src/domain/limits';
import { fileKeys } from '../../src/domain/object-keys';
import type { ProjectLimits } from '../../src/domain/project';
import type { BatchRef, ShardRef, SliceResult } from '../../src/domain/workflow-contract';
import { Agenda } from '../../src/storage/agenda';
import { BatchStore } from '../../src/storage/batch-store';
import { CreatedBatches } from '../../src/storage/created-batches';
import { FileStore } from '../../src/storage/file-store';
import type { ObjectStore } from '../../src/storage/object-store';
import { ProjectStore } from '../../src/storage/project-store';
import { WebhookStore } from '../../src/storage/webhook-store';
import { UploadStore } from '../../src/storage/upload-store';
import { ByteBudget } from '../../src/upstream/byte-budget';
import { aNewBatch, model, projectId, startedAt } from './batches';
import { FakeBatchWorkflows } from './fake-batch-workflows';
import { FakeDispatcher } from './fake-dispatcher';
import { FaultyObjectStore, textOf } from './faulty-object-store';
import { silentLogger } from './silent-logger';

const upstream = {
  name: 'gpu-1',
  baseUrl: 'http://127.0.0.1:1/v1',
  apiKey: undefined,
  maxInFlight: 64,
  requestTimeoutMs: 1_000,
  weight: 1,
};

/** Those of a deployment that sets none. */
export const limits: ProjectLimits = {
  fileBytesMax,
  batchLinesMax,
  embeddingInputsMax: null,
  filesMax: filesMaxDefault,
  openBatchesMax: openBatchesMaxDefault,
  runningBatchesMax: null,
  queuedLinesMax: null,
};

const endpoints = new Set(defaultEndpoints);

function aRoute(name: string): ModelRoute {
  return { model: name, upstreams: [{ upstream, upstreamModel: name, endpoints }], endpoints };
}

const routes: readonly ModelRoute[] = [
  aRoute(model),
  aRoute('other'),
  {
    ...aRoute('priced'),
    price: {
      currency: 'usd',
      batchDiscount: 0.5,
      inputPerMillion: 2,
      cachedInputPerMillion: 1,
      outputPerMillion: 10,
    },
  },
];

/** One process over a store; several worlds may share a store. */
export class ActivityWorld {
  readonly dispatcher = new FakeDispatcher();
  readonly budget: ByteBudget;
  readonly recentSegments = new Map<string, Buffer>();
  readonly heldBatches = new Map<string, HeldBatch>();
  readonly deps: ActivityDeps;
  readonly control: ControlActivities;
  /** Unix milliseconds of the next look at the clock. */
  nowMs = startedAt * 1000 + 60_000;
  readonly workflows = new FakeBatchWorkflows();
  private tokens = 0;

  constructor(
    readonly store = new FaultyObjectStore(),
    options: {
      readonly bytesMax?: number;
      readonly settings?: Partial<ActivityDeps['settings']>;
      readonly processName?: string;
    } = {},
  ) {
    const { bytesMax = 64 * 1024 * 1024, settings = {}, processName = 'process-1' } = options;
    const logger = silentLogger();
    const batches = new BatchStore(store);
    const agenda = new Agenda(store);
    this.budget = new ByteBudget(bytesMax);
    this.deps = {
      store,
      batches,
      files: new FileStore(store),
      uploads: new UploadStore(store),
      createdBatches: new CreatedBatches(store, agenda),
      agenda,
      workflows: this.workflows,
      projects: new ProjectStore(store),
      webhooks: new WebhookStore(store),
      routes: new Map(routes.map((route) => [route.model, route])),
      dispatcher: this.dispatcher,
      budget: this.budget,
      recentSegments: this.recentSegments,
      heldBatches: this.heldBatches,
      progress: new ProgressReporter(batches, processName, logger),
      endWatch: new EndWatch(batches, logger),
      openFileCheck: (rules, facts) => new BlockingFileCheck(rules, facts),
      logger,
      settings: {
        limits,
        mixedModels: 'refuse',
        requestOrder: 'input',
        sliceDurationMs: 300_000,
        cancelGraceMs: 30_000,
        shutdownGraceMs: 10_000,
        roles: ['orchestrator', 'inference'],
        batchRetentionDays: 90,
        ...settings,
      },
      now: () => this.nowMs,
      randomHex: () => (this.tokens += 1).toString(16).padStart(32, processName.slice(-1)),
    };
    this.control = createControlActivities(this.deps);
  }

  /** Runs a control activity in a context of its own. */
  async run<T>(
    activity: (control: ControlActivities) => Promise<T>,
    environment = anEnvironment(),
  ): Promise<T> {
    return await environment.run(async () => await activity(this.control));
  }

  async runSlice(shard: ShardRef, environment = anEnvironment()): Promise<SliceResult> {
    const inference = createInferenceActivities(this.deps);
    return await environment.run(async () => await inference.runSlice(shard));
  }
}

/** The context of one run of an activity. Runs that fail are not logged: tests look at the error. */
export function anEnvironment(
  info: ConstructorParameters<typeof MockActivityEnvironment>[0] = {},
): MockActivityEnvironment {
  return new MockActivityEnvironment(info, { logger: new DefaultLogger('ERROR') });
}

/** A batch in the store, as create leaves it: input file, use marker, record. */
export async function createBatch(
  world: ActivityWorld,
  input: string | Buffer,
  options: { readonly batch?: Partial<NewBatch>; readonly purpose?: FilePurpose } = {},
): Promise<BatchRef> {
  const batch = aNewBatch(options.batch);
  const ref = { projectId, batchId: batch.id };
  const fileId = batch.inputFileId as FileId;
  const { files, batches } = world.deps;
  const bytes = Buffer.from(input);
  await world.store.put(fileKeys(projectId, fileId).content, bytes);
  await files.create({
    id: fileId,
    projectId,
    bytes: bytes.length,
    createdAt: startedAt,
    expiresAt: null,
    filename: 'input.jsonl',
    purpose: options.purpose ?? 'batch',
  });
  await files.use(projectId, fileId, { batchId: batch.id, nowSeconds: startedAt });
  await batches.markOpen(batch);
  await batches.create(batch);
  return ref;
}

/** A batch whose input has been validated. */
export async function createRunningBatch(
  world: ActivityWorld,
  input: string,
): Promise<{ readonly ref: BatchRef; readonly shards: readonly ShardRef[] }> {
  const ref = await createBatch(world, input);
  const validation = await world.run(async (control) => await control.validateAndPlan(ref));
  if (validation.verdict !== 'valid') {
    throw new Error(`The input of a test is ${validation.verdict}`);
  }
  const shards = Array.from({ length: validation.shardCount }, (_, shardIndex) => ({
    ...ref,
    shardIndex,
  }));
  return { ref, shards };
}

/** Decides the end of a batch as another process would, without this one being told. */
export async function endBatch(
  world: ActivityWorld,
  ref: BatchRef,
  reason: EndReason,
): Promise<void> {
  await world.deps.batches.decideEnd(ref, { reason, at: startedAt + 30 });
}

export async function recordOf(world: ActivityWorld, ref: BatchRef): Promise<BatchRecord> {
  const record = await world.deps.batches.get(ref);
  if (record === undefined) {
    throw new Error('The batch of a test has no record');
  }
  return record;
}

/** The lines of a file, parsed; none when there is no file. */
export async function linesOf(
  store: ObjectStore,
  fileId: FileId | null,
): Promise<readonly ResultLine[]> {
  const text = fileId === null ? '' : await textOf(store, fileKeys(projectId, fileId).content);
  return parseLines(text ?? '');
}

export interface ResultLine {
  readonly id: string;
  readonly custom_id: string;
  readonly response: { readonly status_code: number; readonly body: unknown } | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export function parseLines(text: string): ResultLine[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as ResultLine);
}
