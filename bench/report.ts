import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { projectRoot } from '../scripts/local/project-root';

/** What is asked of which measure, and whether it is met. */
interface Bar {
  readonly asks: string;
  readonly met: boolean;
}

/** What a scenario found out; names are those of the JSON that is printed. */
export interface Findings {
  readonly ratio: number;
  readonly bar: Bar;
  readonly reference: Readonly<Record<string, unknown>>;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly [more: string]: unknown;
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
