import type { ManagedProcess } from '../scripts/local/managed-process';
import { batchUser, type BatchUser } from './bench-batch';
import { addBenchWorker, inBenchFolder, inBenchStack, partsWithoutWorkers } from './bench-stack';
import { startSlottedUpstream, type SlottedUpstreamProgram } from './slotted-upstream-program';

/** Options of a scenario, as `parseNumbers` reads them, and what else it asks for. */
export interface SlottedWorldOptions {
  readonly slots: number;
  readonly 'latency-ms': number;
  /** Requests in flight of each worker; as many as there are slots when absent. */
  readonly 'in-flight'?: number;
  /** Requests that the upstream takes at a time; those of two workers when absent. */
  readonly holds?: number;
  /** See `SlottedUpstreamOptions`; true when absent. */
  readonly knowsIds?: boolean;
  readonly hasMetrics?: boolean;
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
  const { slots, 'in-flight': inFlight = slots, holds = 2 * inFlight, knowsIds = true } = options;
  const latencyMs = options['latency-ms'];
  const { requestTimeoutSeconds, hasMetrics = false } = options;
  return await inBenchFolder(async (folder) => {
    const upstream = await startSlottedUpstream({
      slots,
      latencyMs,
      holdsMax: holds,
      knowsIds,
      hasMetrics,
    });
    const target = {
      port: upstream.port,
      inFlight,
      ...(requestTimeoutSeconds !== undefined && { requestTimeoutSeconds }),
    };
    const stackOptions = { folder, parts: partsWithoutWorkers, upstream: target };
    try {
      return await inBenchStack(stackOptions, abort, async (stack) => {
        const addWorker: SlottedWorld['addWorker'] = async (env) =>
          await addBenchWorker(stack, { folder, upstream: target, env });
        return await measure({ user: batchUser(stack, folder, abort.signal), upstream, addWorker });
      });
    } finally {
      await upstream.stop();
    }
  });
}
