import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { projectRoot } from '../scripts/local/project-root';

/** What is asked of which measure, and whether it is met; what is aimed at, where that is more. */
interface Bar {
  readonly asks: string;
  readonly met: boolean;
  readonly aim?: number;
  readonly aim_met?: boolean;
}

interface Goal {
  readonly floor: number;
  readonly aim: number;
}

/** What a scenario found out; names are those of the JSON that is printed. */
export interface Findings {
  readonly ratio: number;
  readonly bar: Bar;
  readonly reference: Readonly<Record<string, unknown>>;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly [more: string]: unknown;
}

export function atLeast(measure: string, value: number, { floor, aim }: Goal): Bar {
  const asks = `${measure} of at least ${floor}`;
  return { asks, met: value >= floor, aim, aim_met: value >= aim };
}

export function atMost(measure: string, value: number, { floor, aim }: Goal): Bar {
  const asks = `${measure} of at most ${floor}`;
  return { asks, met: value <= floor, aim, aim_met: value <= aim };
}

/** A bar that is met when each of several is. */
export function everyBar(bars: readonly Bar[]): Bar & { readonly every: readonly Bar[] } {
  return {
    asks: bars.map(({ asks }) => asks).join('; '),
    met: bars.every(({ met }) => met),
    every: bars,
  };
}

/** The one line of a scenario on standard output. */
export function toReport(scenario: string, findings: Findings): string {
  return JSON.stringify({ scenario, ...findings, machine: machine(), commit: commit() });
}

function machine(): Record<string, unknown> {
  const all = cpus();
  return {
    cpu: all[0]?.model,
    cpu_count: all.length,
    memory_bytes: totalmem(),
    kernel: release(),
    node: process.version,
  };
}

/** With `-dirty` when the tree holds something that the commit does not. */
function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: projectRoot, encoding: 'utf8', stdio: 'pipe' }).trim();
  try {
    return git('rev-parse', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '-dirty');
  } catch {
    return 'unknown';
  }
}
