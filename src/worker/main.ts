/** The worker process: settings in, ports made, workers run until the process is told to stop. */
import { ConfigError, loadWorkerConfig, type WorkerConfig } from '../config/config';
import { createLogger } from '../observability/logger';
import { startWorker } from './worker';

async function main(): Promise<void> {
  const config = readConfig();
  const logger = createLogger('longhaul-worker', config.logLevel);
  const worker = await startWorker({ config, env: process.env, logger, pid: process.pid });
  const stop = (signal: string): void => {
    logger.info({ signal }, 'worker is stopping');
    worker.stop();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  try {
    await worker.stopped;
    logger.info('worker has stopped');
    // Nothing is left to do, whatever timers a library still holds.
    process.exit(0);
  } catch (error) {
    // A worker that has lost its engine does not come back by itself; its supervisor restarts it.
    logger.fatal({ err: error }, 'worker has failed');
    process.exit(1);
  }
}

function readConfig(): WorkerConfig {
  try {
    return loadWorkerConfig(process.env);
  } catch (error) {
    process.stderr.write(`${error instanceof ConfigError ? error.message : String(error)}\n`);
    process.exit(1);
  }
}

void main().catch((error: unknown) => {
  process.stderr.write(`The worker could not start: ${String(error)}\n`);
  process.exit(1);
});
