/** What Linux knows of a process: proc(5). */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { LocalError } from '../scripts/local/local-error';

/** Ticks that `/proc` counts in a second, on every Linux of today (USER_HZ). */
const ticksPerSecond = 100;
const userTicksField = 14;
const systemTicksField = 15;

/** User and system time so far. */
export function cpuSeconds(pid: number): number {
  // The second field is a name in brackets that may hold spaces.
  const fields = read(pid, 'stat')
    .replace(/^.*\) /s, '')
    .split(' ');
  const ticks = (field: number): number => Number(fields[field - 3]);
  return (ticks(userTicksField) + ticks(systemTicksField)) / ticksPerSecond;
}

/** A process and what it has started, now; the process itself comes first. */
export function processTree(pid: number): number[] {
  const threads = readdirSync(`/proc/${pid}/task`);
  const children = threads.flatMap(
    (thread) => read(pid, `task/${thread}/children`).match(/\d+/g) ?? [],
  );
  return [pid, ...children.map(Number).flatMap(processTree)];
}

/** CPU seconds of the whole machine that were not idle so far, of all processors together. */
function machineCpuSeconds(): number {
  const [, ...ticks] = (/^cpu .*$/m.exec(readFileSync('/proc/stat', 'latin1'))?.[0] ?? '').split(
    / +/,
  );
  const [user, nice, system, , , irq, softIrq, steal] = ticks.map(Number);
  const busy = [user, nice, system, irq, softIrq, steal];
  return busy.reduce<number>((sum, count) => sum + (count ?? 0), 0) / ticksPerSecond;
}

/**
 * What processes have read and written so far, from and to sockets and files. What native code
 * receives on sockets by other calls than `read` does not count: Temporal's client, for one.
 */
export function ioBytes(pids: readonly number[]): number {
  return pids
    .map((pid) => read(pid, 'io'))
    .flatMap((text) => [...text.matchAll(/^[rw]char: (\d+)$/gm)])
    .reduce((sum, [, count]) => sum + Number(count), 0);
}

export function rssBytes(pid: number): number {
  return statusBytes(pid, 'VmRSS');
}

/** Since the process started, or since {@link resetPeakRss}. */
export function peakRssBytes(pid: number): number {
  return statusBytes(pid, 'VmHWM');
}

export function resetPeakRss(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Measures the CPU seconds that processes use from now on. */
export function startCpuClock(
  pids: Readonly<Record<string, number>>,
): () => Record<string, number> {
  const before = Object.entries(pids).map(([name, pid]) => [name, pid, cpuSeconds(pid)] as const);
  return () =>
    Object.fromEntries(
      before.map(([name, pid, start]) => [name, rounded(cpuSeconds(pid) - start)]),
    );
}

/**
 * Measures the part of the machine's CPU time that others use from now on, the kernel's own threads
 * among them.
 */
export function startOthersClock(pids: readonly number[]): () => number {
  const startedAt = performance.now();
  const used = (): number =>
    machineCpuSeconds() - pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const before = used();
  return () => {
    const seconds = ((performance.now() - startedAt) / 1000) * cpus().length;
    return rounded((used() - before) / seconds);
  };
}

/** A run in which others used more of the machine in some turn proves nothing. */
const othersShareMax = 0.15;

/** @param turns with what {@link startOthersClock} measured of each */
export function isDisturbedByOthers(turns: readonly { readonly othersShare: number }[]): boolean {
  return turns.some(({ othersShare }) => othersShare > othersShareMax);
}

/** Three digits after the point are more than any of our numbers is good for. */
export function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

function statusBytes(pid: number, field: string): number {
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(read(pid, 'status'))?.[1];
  return Number(kibibytes) * 1024;
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch (error) {
    throw new LocalError(
      `The benchmarks need Linux and processes that stay alive: /proc/${pid}/${file} cannot be read (${(error as Error).message}).`,
    );
  }
}
