/**
 * Composition of a worker: the roles that this process plays, over one connection and one store.
 *
 * The orchestrator role runs workflows and control activities, and notifications on a queue of their
 * own; the inference role runs slices, on two queues: one for batches with several shards, one for
 * batches with a single one.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { asyncLocalStorage } from '@temporalio/activity';
import { Client } from '@temporalio/client';
import {
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type ActivityInterceptorsFactory,
  type WorkerOptions,
} from '@temporalio/worker';
import { LRUCache } from 'lru-cache';
import {
  createControlActivities,
  createInferenceActivities,
  createNotificationActivities,
  EndWatch,
  openFileCheck,
  ProgressReporter,
  type ActivityDeps,
  type HeldBatch,
  type NotificationDeps,
} from '../../activities';
import type { Environment, WorkerConfig } from '../config/config';
import { loadModelRoutes } from '../config/upstreams';
import { heldBatchesBytesMax, recentSegmentsBytesMax } from '../domain/limits';
import { taskQueues } from '../domain/workflow-contract';
import { AddressGuard } from '../notifications/address-guard';
import { SmtpMailer } from '../notifications/mailer';
import { HttpWebhookSender } from '../notifications/webhook-sender';
import type { Logger } from '../observability/logger';
import { Agenda } from '../storage/agenda';
import { BatchStore } from '../storage/batch-store';
import { CreatedBatches } from '../storage/created-batches';
import { FileStore } from '../storage/file-store';
import { createMinioObjectStore, defaultTimeouts } from '../storage/minio-object-store';
import { ProjectStore } from '../storage/project-store';
import { UploadStore } from '../storage/upload-store';
import { TemporalBatchWorkflows } from '../temporal/batch-workflows';
import { WebhookStore } from '../storage/webhook-store';
import { identityOf } from '../temporal/identity';
import { keepSchedules } from '../temporal/schedules';
import { ByteBudget } from '../upstream/byte-budget';
import { createHttpDispatcher } from '../upstream/http-dispatcher';
import { ContextStorages } from './context-storages';

/** The bundle that `npm run build` makes; the same bundle is replayed in the tests. */
const workflowBundlePath = resolve(__dirname, '../../workflow-bundle.js');

/**
 * Workflows kept in memory: the default of unfinished batches of a project, each with one shard, and no
 * more than the heap has room for, of which each takes about a megabyte. One that is not has its
 * history read again at each of its events.
 */
const cachedWorkflowsMax = Math.min(
  1_000,
  Math.floor(getHeapStatistics().heap_size_limit / 2_097_152),
);
/** Control activities at a time; validations have a limit of their own. */
const controlActivitiesMax = 32;
/** Calls to webhooks and mail servers at a time; each may take its receiver's twenty seconds. */
const notificationsMax = 32;
/** So that a cancel and a dead worker are noticed within seconds, whatever the heartbeat timeout. */
const heartbeatThrottleMsMax = 2_000;
/**
 * A workflow that a dead worker had in memory waits this long at its next event before another worker
 * may have it; by default ten seconds, in which a batch starts no further shard. Too short costs no
 * more than reading its history again.
 */
const stickyTimeoutMs = 1_000;
/** Committing and returning take a moment after the grace for requests in flight is over. */
const drainMs = 15_000;
/** For which workflows go on after the last slice has returned, so that they start the next ones. */
const handOverMs = 500;
const connectRetryMs = 1_000;
/** Of a batch that is held, beside its input. */
const heldRecordBytes = 2_048;
/**
 * A slice that gives up on the store asks again what it holds. So an outage is waited out where it
 * is met; after this long it becomes a failure that the engine shows, and repeats.
 */
const storePatience = { ...defaultTimeouts, retryMs: 600_000, waitsForRoom: true };

export interface RunningWorker {
  /** Stops polling, lets slices commit what has finished, and hands them on. Again does no harm. */
  stop(): void;
  /**
   * Resolves after {@link stop}; rejects when a worker fails, or not everything is handed over
   * `drainMs` after the grace for requests in flight.
   */
  readonly stopped: Promise<void>;
}

interface WorkerContext {
  readonly config: WorkerConfig;
  readonly env: Environment;
  readonly logger: Logger;
  readonly pid: number;
}

export async function startWorker(context: WorkerContext): Promise<RunningWorker> {
  const { config, logger } = context;
  installRuntime(logger);
  const connection = await connect(context);
  const client = new Client({
    connection,
    namespace: config.temporal.namespace,
    identity: identityOf('worker', context.pid),
  });
  const deps = await createDeps(context, client);
  const contexts = new ContextStorages([asyncLocalStorage, connection.callContextStorage]);
  const optionsWith = (interceptors: ActivityInterceptorsFactory): SharedOptions =>
    sharedOptions(context, connection, interceptors);
  const inference = config.roles.includes('inference')
    ? await createInferenceWorkers(context, optionsWith(contexts.ofSlices), deps)
    : [];
  const orchestrator = config.roles.includes('orchestrator')
    ? await createOrchestratorWorkers(context, optionsWith(contexts.ofOthers), deps)
    : [];
  const releaseSchedules = await takeCareOfSchedules(context, client);
  const inferenceRuns = runAll(inference);
  const orchestratorRuns = runAll(orchestrator);
  logger.info({ roles: config.roles }, 'worker is running');
  const isLate = new AbortController();
  return {
    stop: () => {
      setTimeout(() => {
        isLate.abort();
      }, config.shutdownGraceMs + drainMs).unref();
      releaseSchedules();
      shutDown(inference);
      // Last, because their workflows are ready to start the slices that return again elsewhere.
      void Promise.allSettled(inferenceRuns)
        .then(async () => {
          await delay(inference.length > 0 ? handOverMs : 0);
        })
        .then(() => {
          shutDown(orchestrator);
        });
    },
    stopped: Promise.race([
      Promise.all([...inferenceRuns, ...orchestratorRuns]).then(async () => {
        await deps.dispatcher.close();
        await connection.close();
      }),
      once(isLate.signal, 'abort').then(() => {
        throw new Error('Not everything could be handed over in time');
      }),
    ]),
  };
}

function runAll(workers: readonly Worker[]): Promise<void>[] {
  return workers.map(async (worker) => {
    await worker.run();
  });
}

function shutDown(workers: readonly Worker[]): void {
  workers
    .filter((worker) => worker.getState() === 'RUNNING')
    .forEach((worker) => {
      worker.shutdown();
    });
}

/** The business of orchestrators; returns how to end it. */
async function takeCareOfSchedules(
  { config, logger }: WorkerContext,
  client: Client,
): Promise<() => void> {
  if (!config.roles.includes('orchestrator')) {
    return () => undefined;
  }
  const { taskQueuePrefix } = config.temporal;
  const intervalsMs = { sweep: config.sweepIntervalMs, recovery: config.recoveryIntervalMs };
  return await keepSchedules(client, { taskQueuePrefix, intervalsMs }, logger);
}

/** One owner of signals per process: `main.ts`. */
function installRuntime(logger: Logger): void {
  Runtime.install({
    shutdownSignals: [],
    logger: new DefaultLogger('WARN', ({ level, message, meta }) => {
      const write = level === 'ERROR' ? 'error' : 'warn';
      const { error: err, ...temporal } = meta ?? {};
      logger[write]({ err, temporal }, message);
    }),
    telemetryOptions: { logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} } },
  });
}

async function createDeps(
  { config, env, logger, pid }: WorkerContext,
  client: Client,
): Promise<ActivityDeps> {
  const store = createMinioObjectStore(config.store, storePatience, {
    onOutage: (cause) => {
      logger.warn({ err: cause }, 'waiting for the object store');
    },
    onRecovery: (outageMs) => {
      logger.info({ outageSeconds: Math.round(outageMs / 1000) }, 'the object store works again');
    },
  });
  await store.ensureBucket();
  const batches = new BatchStore(store);
  const agenda = new Agenda(store);
  const budget = new ByteBudget(config.bytesMax);
  const randomHex = (): string => randomBytes(16).toString('hex');
  return {
    store,
    batches,
    files: new FileStore(store),
    uploads: new UploadStore(store),
    createdBatches: new CreatedBatches(store, agenda),
    agenda,
    workflows: new TemporalBatchWorkflows(client),
    projects: new ProjectStore(store),
    webhooks: new WebhookStore(store),
    ...(config.smtp !== undefined && { mailer: new SmtpMailer(config.smtp) }),
    routes: loadModelRoutes(config.upstreamsFile, env),
    dispatcher: createHttpDispatcher({
      logger,
      budget,
      outagePatienceMs: config.outagePatienceMs,
    }),
    budget,
    recentSegments: new LRUCache<string, Buffer>({
      maxSize: recentSegmentsBytesMax,
      sizeCalculation: (segment) => segment.length,
    }),
    heldBatches: new LRUCache<string, HeldBatch>({
      maxSize: heldBatchesBytesMax,
      sizeCalculation: ({ input }) => input.length + heldRecordBytes,
    }),
    progress: new ProgressReporter(batches, `${pid}-${randomHex()}`, logger),
    endWatch: new EndWatch(batches, logger),
    openFileCheck,
    logger,
    settings: config,
    now: Date.now,
    randomHex,
  };
}

function notificationDeps(config: WorkerConfig, deps: ActivityDeps): NotificationDeps {
  const webhookSender = new HttpWebhookSender(new AddressGuard(config.webhookAllowedNetworks));
  return { ...deps, webhookSender };
}

/** Waits for the engine: at a start of the whole machine it may come up last. */
async function connect({ config, logger }: WorkerContext): Promise<NativeConnection> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await NativeConnection.connect({ address: config.temporal.address });
    } catch (error) {
      if (attempt === 1) {
        logger.warn({ err: error, address: config.temporal.address }, 'waiting for Temporal');
      }
      await delay(connectRetryMs);
    }
  }
}

/** What all workers of a role have in common. */
type SharedOptions = Omit<WorkerOptions, 'taskQueue'>;

function sharedOptions(
  { config, pid }: WorkerContext,
  connection: NativeConnection,
  interceptors: ActivityInterceptorsFactory,
): SharedOptions {
  return {
    connection,
    namespace: config.temporal.namespace,
    identity: identityOf('worker', pid),
    maxHeartbeatThrottleInterval: heartbeatThrottleMsMax,
    shutdownForceTime: config.shutdownGraceMs + drainMs,
    interceptors: { activity: [interceptors] },
  };
}

async function createOrchestratorWorkers(
  { config }: WorkerContext,
  shared: SharedOptions,
  deps: ActivityDeps,
): Promise<Worker[]> {
  const queues = taskQueues(config.temporal.taskQueuePrefix);
  const notifications = createNotificationActivities(notificationDeps(config, deps));
  return await Promise.all([
    Worker.create({
      ...shared,
      taskQueue: queues.orchestrator,
      workflowBundle: { codePath: workflowBundlePath },
      activities: { ...createControlActivities(deps), ...notifications },
      maxCachedWorkflows: cachedWorkflowsMax,
      stickyQueueScheduleToStartTimeout: stickyTimeoutMs,
      maxConcurrentActivityTaskExecutions: controlActivitiesMax,
    }),
    Worker.create({
      ...shared,
      taskQueue: queues.notifications,
      activities: notifications,
      maxConcurrentActivityTaskExecutions: notificationsMax,
    }),
  ]);
}

async function createInferenceWorkers(
  { config }: WorkerContext,
  shared: SharedOptions,
  deps: ActivityDeps,
): Promise<Worker[]> {
  const queues = taskQueues(config.temporal.taskQueuePrefix);
  const activities = createInferenceActivities(deps);
  return await Promise.all(
    [queues.inference, queues.inferenceShort].map(
      async (taskQueue) =>
        await Worker.create({
          ...shared,
          taskQueue,
          activities,
          maxConcurrentActivityTaskExecutions: config.slicesMax,
        }),
    ),
  );
}
