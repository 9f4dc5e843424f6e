/** `npm run chaos`: kills and outages by seed, and checks of what came of it; see docs/chaos.md. */
import { parseOptions, userPath } from './cli/parse-options';
import { runProgram, say } from './cli/run-program';
import { runChaos } from './chaos/run-chaos';
import { appendReport, readReports, summaryOf, type SeedReport } from './chaos/seed-report';
import { LocalError } from './local/local-error';

const usage = `Usage: npm run chaos -- [options]

Runs batches on a stack of real servers while their processes are killed, frozen and restarted, all
of it decided by a seed, and checks what came of every request.

  --seeds N          how many seeds (default: 5)
  --seed S           the first of them (default: 1); the others follow it
  --minutes M        begins no seed after M minutes
  --report FILE      appends a line for each seed, and leaves out those that are clean in it already
                     with the same code; the summary is about the whole file
  --help

The result is the last line of standard output: one JSON object. What happens is told on standard
error. What is needed to understand a failed seed stays in .longhaul/chaos/failed. Exit code: 0 when
every seed of the summary is clean.
`;

const options = {
  seeds: { type: 'string', default: '5' },
  seed: { type: 'string', default: '1' },
  minutes: { type: 'string' },
  report: { type: 'string' },
  help: { type: 'boolean', default: false, short: 'h' },
} as const;

export async function main(args: readonly string[]): Promise<number> {
  return await runProgram(async (abort) => {
    const wish = parseOptions(args, options);
    if (wish.help) {
      process.stdout.write(usage);
      return 0;
    }
    const minutes = wish.minutes === undefined ? Infinity : numberOf('minutes', wish.minutes);
    const [first, count] = [numberOf('seed', wish.seed), numberOf('seeds', wish.seeds)];
    const file = wish.report === undefined ? undefined : userPath(wish.report);
    const reports: SeedReport[] = file === undefined ? [] : readReports(file);
    const clean = new Set(
      reports.filter(({ problems }) => problems.length === 0).map(({ seed }) => seed),
    );
    const seeds = Array.from({ length: count }, (_, index) => first + index);
    let leakedPids: readonly number[] = [];
    try {
      const run = await runChaos({
        seeds: seeds.filter((seed) => !clean.has(seed)),
        until: performance.now() + minutes * 60_000,
        signal: abort.signal,
        tell: say,
        onSeed: (report) => {
          reports.push(report);
          if (file !== undefined) {
            appendReport(file, report);
          }
        },
      });
      leakedPids = run.leakedPids;
    } finally {
      process.stdout.write(
        `${JSON.stringify({ ...summaryOf(reports), leaked_processes: leakedPids })}\n`,
      );
    }
    return report(reports, leakedPids);
  });
}

/** @returns the exit code. */
function report(reports: readonly SeedReport[], leakedPids: readonly number[]): number {
  if (leakedPids.length > 0) {
    say(`Processes are alive after the end: ${leakedPids.join(', ')}`);
  }
  const { clean, seeds } = summaryOf(reports);
  return clean === seeds && leakedPids.length === 0 ? 0 : 1;
}

function numberOf(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) {
    throw new LocalError(`--${name} is ${text}: it has to be a whole number from 1.`);
  }
  return number;
}
