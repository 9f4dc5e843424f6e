import type { ManagedProcess } from '../scripts/local/managed-process';
import { batchUser, type BatchUser } from './bench-batch';
import { addBenchWorker, makeBenchFolder, startBenchStack } from './bench-stack';
import type { SlottedUpstreamOptions } from './slotted-upstream';
import { startSlottedUpstream, type SlottedUpstreamProgram } from './slotted-upstream-program';

export interface SlottedWorldOptions extends SlottedUpstreamOptions {
  /** Requests in flight of each worker. */
  readonly inFlight: number;
  readonly requestTimeoutSeconds?: number;
}

/** A stack without workers, and an upstream with slots. */
export interface SlottedWorld {
  readonly user: BatchUser;
  readonly upstream: SlottedUpstreamProgram;
  /** With other settings than those by default; the upstream knows it as `worker-1` and so on. */
  addWorker(env?: Readonly<Record<string, string>>): Promise<ManagedProcess>;
}

/** Starts what there is of a world, and stops it when the measurement has ended. */
export async function inSlottedWorld<T>(
  options: SlottedWorldOptions,
  abort: AbortController,
  measure: (world: SlottedWorld) => Promise<T>,
): Promise<T> {
  const { inFlight, requestTimeoutSeconds, ...upstreamOptions } = options;
  const folder = makeBenchFolder();
  const upstream = await startSlottedUpstream(upstreamOptions);
  try {
    const target = {
      port: upstream.port,
      inFlight,
      ...(requestTimeoutSeconds !== undefined && { requestTimeoutSeconds }),
    };
    const stack = await startBenchStack(
      { folder, upstream: target, parts: ['minio', 'temporal', 'api'] },
      abort,
    );
    try {
      return await measure({
        user: batchUser(stack, folder, abort.signal),
        upstream,
        addWorker: async (env) => await addBenchWorker(stack, { folder, upstream: target, env }),
      });
    } finally {
      await stack.stop();
    }
  } finally {
    await upstream.stop();
    folder.remove();
  }
}
