/**
 * The worker process: settings in, ports made, workers run until the process is told to stop.
 *
 * It owns SIGTERM and SIGINT, and nothing else does. The first one makes it commit and hand over; one
 * more changes nothing, because terminals and supervisors send several. It ends with 0 when everything
 * was handed over, with 1 when it has failed, or could not hand over in time: then others go on as
 * after a crash, and only what was in flight or not yet committed is asked again. Where a setting asks
 * for more processes that run slices, it is the one that starts and stops them, and it fails with them.
 */
import { ConfigError, loadWorkerConfig, type WorkerConfig } from '../config/config';
import { createLogger } from '../observability/logger';
import { startInferenceProcesses } from './inference-processes';
import { startWorker } from './worker';

async function main(): Promise<void> {
  const config = readConfig();
  const { pid } = process;
  // Several processes may write to one log.
  const logger = createLogger('longhaul-worker', config.logLevel).child({ pid });
  // Until it is there, it waits for its servers, and has nothing to hand over.
  let stopAll = (): void => process.exit(0);
  const stop = (signal: string): void => {
    logger.info({ signal }, 'worker is stopping');
    stopAll();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // The process that started this one is gone.
  process.on('disconnect', () => {
    stop('disconnect');
  });
  const worker = await startWorker({ config, env: process.env, logger, pid });
  const others = startInferenceProcesses(
    __filename,
    config.roles.includes('inference') ? config.inferenceProcesses - 1 : 0,
    process.env,
  );
  stopAll = () => {
    others.stop();
    worker.stop();
  };
  try {
    await Promise.all([worker.stopped, others.stopped]);
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
