/** The API process: settings in, ports made, requests served until the process is told to stop. */
import { randomBytes } from 'node:crypto';
import { ConfigError, loadApiConfig, type ApiConfig } from '../config/config';
import { loadServed } from '../config/upstreams';
import { isLoopback } from '../domain/loopback';
import { createLogger, type Logger } from '../observability/logger';
import { Agenda } from '../storage/agenda';
import { BatchStore } from '../storage/batch-store';
import { CreatedBatches } from '../storage/created-batches';
import { FileStore } from '../storage/file-store';
import {
  createMinioObjectStore,
  defaultTimeouts,
  type StorePatience,
} from '../storage/minio-object-store';
import { StoreFault } from '../storage/object-store';
import { ProjectStore } from '../storage/project-store';
import { UploadStore } from '../storage/upload-store';
import { identityOf } from '../temporal/identity';
import { TemporalBatchRunner } from '../temporal/temporal-batch-runner';
import { createApiApp } from './app';
import { sharedLiveProgress } from './batches/live-progress';
import { makeFullCollectionsRare } from './heap';

/** How long requests may go on after the process was told to stop. */
const shutdownGraceMs = 10_000;

/**
 * A client would rather hear within seconds that it should come back: the official ones repeat a 503
 * by themselves. What it has sent or fetched half of is worth more patience.
 */
const storePatience: StorePatience = {
  connectTimeoutMs: 3_000,
  idleTimeoutMs: 4_000,
  retryMs: 5_000,
  transfers: defaultTimeouts,
};

async function main(): Promise<void> {
  makeFullCollectionsRare();
  const config = loadApiConfig(process.env);
  const served = loadServed(config.upstreamsFile);
  const logger = createLogger('longhaul-api', config.logLevel);
  const toldToStop = ownSignals(logger);
  const store = createMinioObjectStore(config.store, storePatience);
  const runner = new TemporalBatchRunner(config.temporal, identityOf('api', process.pid));
  await store.ensureBucket();
  const projects = new ProjectStore(store);
  const isOpen = await needsNoKey(config, projects);
  const batches = new BatchStore(store);
  const agenda = new Agenda(store);
  const app = await createApiApp({
    files: new FileStore(store),
    uploads: new UploadStore(store),
    batches,
    readLiveProgress: sharedLiveProgress(batches),
    createdBatches: new CreatedBatches(store, agenda),
    projects,
    agenda,
    runner,
    ...served,
    taskQueuePrefix: config.temporal.taskQueuePrefix,
    settings: {
      key: config.key,
      isOpen,
      completionWindows: config.completionWindows,
      pathPrefixes: config.pathPrefixes,
      webhookAllowedNetworks: config.webhookAllowedNetworks,
      unknownInputFile: config.unknownInputFile,
      resultForm: config.resultForm,
      idleTimeoutMs: config.uploadIdleTimeoutMs,
      limits: config.limits,
    },
    logger,
    clock: Date.now,
    randomHex: () => randomBytes(10).toString('hex'),
  });
  const address = await app.listen(config);
  logger.info({ address }, 'api is listening');
  if (isOpen) {
    logger.warn('there is no API key: whoever reaches this machine may do everything');
  }
  await toldToStop();
  await app.close(shutdownGraceMs);
  await runner.close();
  store.close();
  logger.info('api has stopped');
}

/**
 * A server without any key serves everybody who reaches it, and so only its own machine.
 *
 * @throws ConfigError when it would be reached from elsewhere.
 */
async function needsNoKey(config: ApiConfig, projects: ProjectStore): Promise<boolean> {
  if (config.key !== undefined || (await projects.hasKeys())) {
    return false;
  }
  if (!isLoopback(config.host)) {
    throw new ConfigError(
      `There is no API key, and LONGHAUL_API_HOST=${config.host} can be reached from other machines: set LONGHAUL_API_KEY, or make a key with \`npm run admin -- keys create\`.`,
    );
  }
  return true;
}

/**
 * Makes this the one owner of signals. Terminals and supervisors send several: the first one counts.
 *
 * @returns a promise of the signal to stop, to be asked for once the process serves: before that, a
 *   signal just ends it.
 */
function ownSignals(logger: Logger): () => Promise<void> {
  let stop = (): void => process.exit(0);
  const onSignal = (signal: string): void => {
    logger.info({ signal }, 'api is stopping');
    stop();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return async () => {
    await new Promise<void>((resolve) => {
      stop = resolve;
    });
  };
}

/** What Node throws when it cannot listen. */
interface ListenError extends NodeJS.ErrnoException {
  readonly address: string;
  readonly port: number;
}

/** One sentence for whoever starts the process; the settings' errors are already written for them. */
function explain(error: unknown): string {
  if (error instanceof ConfigError) {
    return error.message;
  }
  if (error instanceof StoreFault) {
    return `The API could not reach the object store at LONGHAUL_S3_ENDPOINT: ${error.message}`;
  }
  const { code, address, port } = error as ListenError;
  if (code === 'EADDRINUSE' || code === 'EACCES' || code === 'EADDRNOTAVAIL') {
    return `The API cannot listen on ${address} port ${port} (${code}): set LONGHAUL_API_HOST and LONGHAUL_API_PORT to an address that is free.`;
  }
  return `The API could not start: ${String(error)}`;
}

void main().then(
  // Nothing is left to do, whatever timers a library still holds.
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${explain(error)}\n`);
    process.exit(1);
  },
);
