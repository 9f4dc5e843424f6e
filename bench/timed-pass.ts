/** Measures one pass over a file, in a process that does nothing else. */
import { peakRssBytes, resetPeakRss, rssBytes } from './process-stats';

export interface PassResult {
  readonly lines: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Largest resident memory during the pass, less that before it. */
  readonly rssGrowthBytes: number;
}

/** @param pass resolves to the number of lines */
export async function timedPass(pass: () => Promise<number>): Promise<PassResult> {
  resetPeakRss(process.pid);
  const rssBefore = rssBytes(process.pid);
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const lines = await pass();
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    lines,
    seconds,
    cpuSeconds: (user + system) / 1e6,
    rssGrowthBytes: peakRssBytes(process.pid) - rssBefore,
  };
}
