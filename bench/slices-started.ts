import { readFileSync } from 'node:fs';
import type { ManagedProcess } from '../scripts/local/managed-process';

/** When a worker started slices of a batch, by its log; milliseconds since 1970, in order. */
export function slicesStartedAt(worker: ManagedProcess, batchId: string, since: number): number[] {
  return readFileSync(worker.logFile, 'utf8')
    .split('\n')
    .filter((line) => line.includes('"slice has started"') && line.includes(`"${batchId}"`))
    .map((line) => Date.parse((JSON.parse(line) as { readonly time: string }).time))
    .filter((time) => time >= since);
}
