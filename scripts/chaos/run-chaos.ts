/** Runs seeds one after another on one stack, judges each, and keeps what is needed of failed ones. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../local/project-root';
import { check, type Problem } from './checkers';
import type { Observation } from './observation';
import { planSeed } from './plan';
import { runSeed } from './run-seed';
import { toSeedReport, type SeedReport } from './seed-report';
import { ChaosWorld } from './world';

export interface ChaosOptions {
  readonly seeds: Iterable<number>;
  /** No seed is begun later than this, in `performance.now()` time. */
  readonly until: number;
  /** Given up when it is aborted; what runs is stopped. */
  readonly signal: AbortSignal;
  readonly onSeed: (report: SeedReport) => void;
  /** Lines for people: one for each seed, and more for a failed one. */
  readonly tell: (line: string) => void;
}

export interface ChaosRun {
  /** Processes that were still alive after the stack had been stopped. */
  readonly leakedPids: readonly number[];
}

const chaosFolder = join(projectRoot, '.longhaul', 'chaos');
const shownMax = 6;

export async function runChaos(options: ChaosOptions): Promise<ChaosRun> {
  const stateDir = join(chaosFolder, String(process.pid));
  const world = await ChaosWorld.start(stateDir, options.signal);
  let leakedPids: number[];
  try {
    for (const seed of options.seeds) {
      if (performance.now() > options.until) {
        break;
      }
      options.onSeed(await runOne(world, seed, options));
    }
  } finally {
    leakedPids = await world.stop();
    rmSync(stateDir, { recursive: true, force: true });
  }
  return { leakedPids };
}

async function runOne(world: ChaosWorld, seed: number, options: ChaosOptions): Promise<SeedReport> {
  const started = performance.now();
  const seen = await runSeed(world, planSeed(seed), options.signal);
  const problems = check(seen);
  const durationMs = Math.round(performance.now() - started);
  const report = toSeedReport(seen, { problems, durationMs });
  options.tell(describeSeed(report));
  if (problems.length > 0) {
    const folder = keepEvidence(world, seen, problems);
    describeProblems(seed, problems, folder).forEach(options.tell);
  }
  return report;
}

function describeSeed(report: SeedReport): string {
  const { seed, problems, durationMs, statuses, lines, disruptions, requests, repeats } = report;
  const list = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([name, count]) => (count === 1 ? name : `${count} × ${name}`))
      .join(', ');
  return [
    `seed ${seed}: ${problems.length === 0 ? 'clean' : 'FAILED'}, ${(durationMs / 1000).toFixed(1)} s`,
    `${lines} lines`,
    list(statuses),
    list(disruptions) || 'no disruption',
    `${requests} requests, ${repeats} sent again`,
  ].join(' · ');
}

function describeProblems(seed: number, problems: readonly Problem[], folder: string): string[] {
  return [
    ...problems.slice(0, shownMax).map(({ checker, what }) => `  ${checker}: ${what}`),
    `  logs and files: ${folder}`,
    `  again: npm run chaos -- --seeds 1 --seed ${seed}`,
  ];
}

/** Logs of the run so far, and the files and the course of the failed seed. */
function keepEvidence(world: ChaosWorld, seen: Observation, problems: readonly Problem[]): string {
  const folder = join(chaosFolder, 'failed', `${seen.plan.seed}-${world.runId}`);
  mkdirSync(folder, { recursive: true });
  const logs = join(world.stack.state.path, 'logs');
  for (const name of existsSync(logs) ? readdirSync(logs) : []) {
    copyFileSync(join(logs, name), join(folder, name));
  }
  for (const { plan, input, output, errors, polls, actions } of seen.batches) {
    writeFileSync(join(folder, `${plan.name}-input.jsonl`), input.content);
    writeFileSync(join(folder, `${plan.name}-output.jsonl`), output?.content ?? '');
    writeFileSync(join(folder, `${plan.name}-errors.jsonl`), errors?.content ?? '');
    writeJson(join(folder, `${plan.name}-polls.json`), { plan, actions, polls });
  }
  const { plan, startedAt, disruptions, crashes, apiFaults, leftovers, journal } = seen;
  writeJson(join(folder, 'seed.json'), {
    ...{ problems, plan, startedAt, disruptions, crashes, apiFaults, leftovers },
  });
  writeFileSync(
    join(folder, 'journal.txt'),
    journal.map(({ kind, at, hash, status }) => `${kind} ${at} ${hash} ${status ?? ''}\n`).join(''),
  );
  return folder;
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, null, 1)}\n`);
}
