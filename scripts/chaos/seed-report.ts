/** What is kept of a seed, and the sum over many: a file of one JSON object a seed, and a summary. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { projectRoot } from '../local/project-root';
import { checkers, type CheckerName, type Problem } from './checkers';
import { countsLostMax } from './checkers/lifecycle';
import { lostAnswerMs, repeatsOf } from './checkers/requests';
import { finalBatch, type Observation } from './observation';

export interface SeedReport {
  readonly seed: number;
  /** Of everything that can change what the seed does or how it is judged. */
  readonly code: string;
  readonly problems: readonly Problem[];
  readonly durationMs: number;
  /** Batches by their final status. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly lines: number;
  /** Kills and outages, as `worker-1 kill`. */
  readonly disruptions: Readonly<Record<string, number>>;
  /** Processes that ended by themselves. */
  readonly crashes: number;
  /** What clients and operators did, with what came of it. */
  readonly actions: Readonly<Record<string, number>>;
  /** Requests that the upstream received. */
  readonly requests: number;
  /** Of these, sent again after they had been answered. */
  readonly repeats: number;
  /** How old the answers to these were at most when something was killed or stood still. */
  readonly lostAnswerMs: number;
  /** Lines by which the counts of a batch went down at most, from one poll to the next. */
  readonly countsLost: number;
}

export function toSeedReport(
  seen: Observation,
  judged: { readonly problems: readonly Problem[]; readonly durationMs: number },
): SeedReport {
  const { plan, batches, disruptions, crashes, journal } = seen;
  return {
    seed: plan.seed,
    code: codeVersion(),
    ...judged,
    statuses: tally(batches.map((batch) => finalBatch(batch)?.status ?? 'none')),
    lines: batches.reduce((sum, { input }) => sum + input.lines.length, 0),
    disruptions: tally(disruptions.map(({ target, kind }) => `${target} ${kind}`)),
    crashes: crashes.length,
    actions: tally(
      batches.flatMap(({ actions }) => actions.map(({ kind, outcome }) => `${kind}: ${outcome}`)),
    ),
    requests: journal.filter(({ kind }) => kind === 'request').length,
    repeats: repeatsOf(seen).length,
    lostAnswerMs: lostAnswerMs(seen),
    countsLost: countsLostMax(seen),
  };
}

/** Appended in one piece, so that several runs may share a file. */
export function appendReport(path: string, report: SeedReport): void {
  mkdirSync(dirname(path), { recursive: true });
  appendFileSync(path, `${JSON.stringify(report)}\n`);
}

/** Those of the code as it is now: a change of it begins anew. */
export function readReports(path: string): SeedReport[] {
  if (!existsSync(path)) {
    return [];
  }
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as SeedReport)
    .filter(({ code }) => code === codeVersion());
}

export function summaryOf(reports: readonly SeedReport[]): Record<string, unknown> {
  const newest = [...new Map(reports.map((report) => [report.seed, report])).values()];
  const failed = newest.filter(({ problems }) => problems.length > 0);
  const sum = (of: (report: SeedReport) => number): number =>
    newest.reduce((total, report) => total + of(report), 0);
  const merged = (
    of: (report: SeedReport) => Readonly<Record<string, number>>,
  ): Record<string, number> => mergeTallies(newest.map(of));
  return {
    seeds: newest.length,
    clean: newest.length - failed.length,
    failed_seeds: failed.map(({ seed }) => seed).sort((a, b) => a - b),
    seed_numbers: rangesOf(newest.map(({ seed }) => seed)),
    checkers: perChecker(newest),
    batches: merged(({ statuses }) => statuses),
    lines: sum(({ lines }) => lines),
    disruptions: merged(({ disruptions }) => disruptions),
    self_ended_processes: sum(({ crashes }) => crashes),
    actions: merged(({ actions }) => actions),
    upstream_requests: sum(({ requests }) => requests),
    answered_requests_sent_again: sum(({ repeats }) => repeats),
    lost_answer_age_ms_at_most: Math.max(0, ...newest.map((one) => one.lostAnswerMs)),
    counts_lost_at_most: Math.max(0, ...newest.map(({ countsLost }) => countsLost)),
    seconds: Math.round(sum(({ durationMs }) => durationMs) / 1_000),
    seconds_per_seed: Number(
      (sum(({ durationMs }) => durationMs) / 1_000 / newest.length).toFixed(1),
    ),
    versions: { node: process.version },
    commit: git('rev-parse', 'HEAD'),
    code: codeVersion(),
  };
}

const codeFolders = ['src', 'workflows', 'activities', 'scripts', 'package-lock.json'] as const;
let knownVersion: string | undefined;

/** Tree hashes of what runs, so that a change of documents or tests does not begin anew. */
function codeVersion(): string {
  knownVersion ??= [
    ...codeFolders.map((name) => git('rev-parse', '--short=12', `HEAD:${name}`)),
    ...(git('status', '--porcelain', '--', ...codeFolders) === '' ? [] : ['changed']),
  ].join('-');
  return knownVersion;
}

function git(...args: string[]): string {
  try {
    return execFileSync('git', args, { cwd: projectRoot, encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return 'unknown';
  }
}

function perChecker(
  reports: readonly SeedReport[],
): Record<string, { readonly passed: number; readonly failed: number }> {
  return Object.fromEntries(
    (Object.keys(checkers) as CheckerName[]).map((name) => {
      const failed = reports.filter(({ problems }) =>
        problems.some(({ checker }) => checker === name),
      ).length;
      return [name, { passed: reports.length - failed, failed }];
    }),
  );
}

function tally(names: readonly string[]): Record<string, number> {
  return mergeTallies(names.map((name) => ({ [name]: 1 })));
}

function mergeTallies(
  tallies: readonly Readonly<Record<string, number>>[],
): Record<string, number> {
  const merged = new Map<string, number>();
  for (const [name, count] of tallies.flatMap((one) => Object.entries(one))) {
    merged.set(name, (merged.get(name) ?? 0) + count);
  }
  return Object.fromEntries([...merged].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `1-3, 7`. */
function rangesOf(numbers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last?.[1] === number - 1) {
      last[1] = number;
    } else {
      ranges.push([number, number]);
    }
  }
  return ranges.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(', ');
}
