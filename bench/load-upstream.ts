/** The upstream of a measurement of speed, and what it has seen. */
import { request } from 'undici';
import { startProgram } from './child-program';
import type { RawUpstreamStats } from './raw-upstream';
import { startSlottedUpstream } from './slotted-upstream-program';

export interface LoadUpstream {
  readonly pid: number;
  readonly port: number;
  stats(): Promise<RawUpstreamStats>;
  reset(): Promise<void>;
  stop(): Promise<void>;
}

/** @param latencyMs 0: answers at once, and costs as little as possible; otherwise it has slots. */
export async function startLoadUpstream({
  latencyMs,
  slots,
}: {
  readonly latencyMs: number;
  readonly slots: number;
}): Promise<LoadUpstream> {
  return latencyMs === 0 ? await startRawUpstream() : await startWithSlots(latencyMs, slots);
}

async function startRawUpstream(): Promise<LoadUpstream> {
  const program = await startProgram<{ readonly port: number }>('raw-upstream');
  const { port } = program.output;
  const ask = async (what: '_stats' | '_reset'): Promise<RawUpstreamStats> => {
    const { body } = await request(`http://127.0.0.1:${port}/${what}`);
    return (await body.json()) as RawUpstreamStats;
  };
  return {
    pid: program.pid,
    port,
    stats: async () => await ask('_stats'),
    reset: async () => {
      await ask('_reset');
    },
    stop: async () => {
      await program.stop();
    },
  };
}

/** More than its slots wait, and none is refused. */
async function startWithSlots(latencyMs: number, slots: number): Promise<LoadUpstream> {
  const holdsMax = Number.MAX_SAFE_INTEGER;
  const options = { slots, latencyMs, holdsMax, knowsIds: false };
  const program = await startSlottedUpstream(options);
  return {
    ...program,
    stats: async () => {
      const { requests, lastRequestAt, callers } = await program.stats();
      const firsts = Object.values(callers).flatMap(({ firstRequestAt }) => firstRequestAt ?? []);
      const firstRequestAt = firsts.length === 0 ? null : Math.min(...firsts);
      return { requests, firstRequestAt, lastRequestAt };
    },
  };
}
