/** Whether a worker grows before an upstream that hangs, recovers, cuts, recovers, and so on. */
import { setTimeout as delay } from 'node:timers/promises';
import { say } from '../../scripts/cli/run-program';
import type { ManagedProcess } from '../../scripts/local/managed-process';
import { createBatch, pollUntil, uploadLines, type BatchUser } from '../bench-batch';
import { parseNumbers } from '../parse-numbers';
import { rounded, rssBytes } from '../process-stats';
import { everyBar, type Findings } from '../report';
import type { Behaviour, SlottedUpstreamStats } from '../slotted-upstream';
import type { SlottedUpstreamProgram } from '../slotted-upstream-program';
import { inSlottedWorld } from '../slotted-world';

export const hangMemoryHelp = `hang-memory: a worker's memory before an upstream that hangs and recovers all the time
  --minutes N             how long (8)
  --slots N               requests that the upstream answers at a time while it does (64)
  --latency-ms N          time that each of them takes (20)`;

const defaults = { minutes: 8, slots: 64, 'latency-ms': 20 };

const ratioMax = 1.3;
const sampleMs = 1_000;
const requestTimeoutSeconds = 2;

/** Each fault strikes once in two minutes; the first minute has one that hangs and one that cuts. */
const phases: readonly { readonly behaviour: Behaviour; readonly seconds: number }[] = (
  ['hang', 'cut', 'refuse', 'halve'] as const
).flatMap((fault) => [
  { behaviour: 'answer', seconds: 20 },
  { behaviour: fault, seconds: 10 },
]);
const answeringShare = 20 / 30;

/** An inference server takes about this long for an answer; so it is what an hour is made of. */
const realAnswerSeconds = 1;

export async function runHangMemory(
  args: readonly string[],
  abort: AbortController,
): Promise<Findings> {
  const parameters = parseNumbers(args, defaults);
  const { minutes, slots } = parameters;
  const options = { ...parameters, knowsIds: false, requestTimeoutSeconds };
  return await inSlottedWorld(options, abort, async (world) => {
    const { user, upstream } = world;
    // Validating takes memory of its own, which would hide how the other work grows.
    await world.addWorker({ LONGHAUL_WORKER_ROLES: 'orchestrator' });
    const worker = await world.addWorker({ LONGHAUL_WORKER_ROLES: 'inference' });
    const seconds = minutes * 60;
    const lines = Math.ceil((seconds * slots * 1_000) / parameters['latency-ms']);
    const fileId = await uploadLines(user, lines);
    const { id } = await createBatch(user, fileId);
    await pollUntil(user, id, (batch) => (batch.request_counts?.completed ?? 0) > 0);
    const rssBySecond = await sampleInPhases({ user, upstream, worker, seconds });
    const batch = await pollUntil(user, id, () => true);
    if (batch.status !== 'in_progress') {
      throw new Error(`The batch is ${batch.status} before the time is up.`);
    }
    return findingsOf(
      { rssBySecond, stats: await upstream.stats(), failed: batch.request_counts?.failed ?? 0 },
      { ...parameters, lines, request_timeout_seconds: requestTimeoutSeconds, phases },
    );
  });
}

async function sampleInPhases(run: {
  readonly user: BatchUser;
  readonly upstream: SlottedUpstreamProgram;
  readonly worker: ManagedProcess;
  readonly seconds: number;
}): Promise<number[]> {
  const { user, upstream, worker, seconds } = run;
  const samples: number[] = [];
  for (let second = 0; second < seconds; second++) {
    const behaviour = behaviourAt(second);
    if (second === 0 || behaviour !== behaviourAt(second - 1)) {
      await upstream.behave(behaviour);
      say(`${second} s: the upstream will ${behaviour}; ${megabytes(rssBytes(worker.pid))} MB`);
    }
    await delay(sampleMs, undefined, { signal: user.signal });
    samples.push(rssBytes(worker.pid));
  }
  return samples;
}

function behaviourAt(second: number): Behaviour {
  let left = second % phases.reduce((sum, phase) => sum + phase.seconds, 0);
  for (const { behaviour, seconds } of phases) {
    if (left < seconds) {
      return behaviour;
    }
    left -= seconds;
  }
  return 'answer';
}

function findingsOf(
  run: {
    readonly rssBySecond: readonly number[];
    readonly stats: SlottedUpstreamStats;
    readonly failed: number;
  },
  parameters: Findings['parameters'] & Readonly<Record<keyof typeof defaults, number>>,
): Findings {
  const { rssBySecond, stats, failed } = run;
  const peaks = peaksOfMinutes(rssBySecond);
  const first = peaks[0] ?? NaN;
  const last = peaks.at(-1) ?? NaN;
  const ratio = rounded(last / first);
  const hourRequests = (parameters.slots * 3_600 * answeringShare) / realAnswerSeconds;
  const hours = stats.answered / hourRequests;
  return {
    ratio,
    bar: everyBar([
      { asks: `ratio of at most ${ratioMax}`, met: ratio <= ratioMax },
      { asks: 'requests of at least an hour, see reference', met: hours >= 1 },
    ]),
    reference: {
      first_minute_peak_rss_bytes: first,
      answered_in_an_hour: hourRequests,
      answer_seconds: realAnswerSeconds,
    },
    service: {
      last_minute_peak_rss_bytes: last,
      peak_rss_bytes_of_minutes: peaks,
      requests: stats.requests,
      answered: stats.answered,
      refused: stats.refused,
      failed_lines: failed,
      hours_worth: rounded(hours),
    },
    parameters,
  };
}

/** Of whole minutes; the rest of the time is not looked at. */
function peaksOfMinutes(bySecond: readonly number[]): number[] {
  const count = Math.floor(bySecond.length / 60);
  return Array.from({ length: count }, (_, minute) =>
    Math.max(...bySecond.slice(minute * 60, (minute + 1) * 60)),
  );
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}
