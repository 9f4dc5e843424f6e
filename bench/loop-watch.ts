/**
 * Loaded before a process of a stack: notes when its event loop stood still, each stall as JSON on a line
 * of a file of its own in a folder. What counts is how long the loop was kept from going on by the process
 * itself: time that its thread waited for a processor is taken off, because machines are shared.
 */
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';

export interface Stall {
  readonly pid: number;
  /** Milliseconds since 1970. */
  readonly endedAt: number;
  readonly ms: number;
}

const folderVariable = 'LONGHAUL_BENCH_STALLS';
const intervalMs = 5;
/** Shorter ones are not worth a line. */
const stallMsMin = 20;

/** Settings of a process that is to be watched. */
export function loopWatchEnv(folder: string): Readonly<Record<string, string>> {
  return { NODE_OPTIONS: `--require ${__filename}`, [folderVariable]: folder };
}

/** What has been noted so far, of all processes. */
export function readStalls(folder: string): Stall[] {
  return readdirSync(folder)
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').trim().split('\n'))
    .map((line) => JSON.parse(line) as Stall);
}

function watch(folder: string): void {
  const { pid } = process;
  const file = join(folder, `${pid}.jsonl`);
  let last = now();
  setInterval(() => {
    const next = now();
    const ms = next.ms - last.ms - intervalMs - (next.waitedMs - last.waitedMs);
    if (ms >= stallMsMin) {
      const stall: Stall = { pid, endedAt: Date.now(), ms: Math.round(ms) };
      appendFileSync(file, `${JSON.stringify(stall)}\n`);
    }
    last = now();
  }, intervalMs).unref();
}

/** Of the main thread: nanoseconds on a processor, and nanoseconds of waiting for one. */
function now(): { readonly ms: number; readonly waitedMs: number } {
  const [, waited] = readFileSync('/proc/self/schedstat', 'latin1').split(' ');
  return { ms: performance.now(), waitedMs: Number(waited) / 1e6 };
}

const folder = process.env[folderVariable];
if (folder !== undefined && isMainThread) {
  watch(folder);
}
