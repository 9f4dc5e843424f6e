/** What it costs when workers die: requests sent again, and time lost, with a kill every half minute. */
import { setTimeout as delay } from 'node:timers/promises';
import { say } from '../../scripts/cli/run-program';
import type { ManagedProcess } from '../../scripts/local/managed-process';
import { createBatch, isTerminal, pollUntil, uploadLines, verifyResults } from '../bench-batch';
import { parseNumbers } from '../parse-numbers';
import { rounded } from '../process-stats';
import { everyBar, type Findings } from '../report';
import type { SlottedUpstreamStats } from '../slotted-upstream';
import { inSlottedWorld, type SlottedWorld } from '../slotted-world';

export const reworkHelp = `rework: requests sent again and time lost when a worker is killed every half minute
  --lines N               requests in the batch, which is run twice (300000)
  --slots N               requests that the upstream answers at a time (64)
  --latency-ms N          time that each of them takes (50)
  --holds N               requests that it accepts at a time; those above its slots wait (128)
  --in-flight N           requests in flight of each of the two workers (64)
  --kill-every-seconds N  (30)`;

const defaults = {
  lines: 300_000,
  slots: 64,
  'latency-ms': 50,
  holds: 128,
  'in-flight': 64,
  'kill-every-seconds': 30,
};
type Parameters = Readonly<Record<keyof typeof defaults, number>>;

const requestsPerLineMax = 1.02;
const ratioMin = 0.85;
const killsMin = 5;

interface Run {
  readonly seconds: number;
  readonly stats: SlottedUpstreamStats;
}

interface Kill {
  readonly worker: string;
  /** Seconds since the batch was created. */
  readonly at: number;
  /** Until the worker was running again. */
  readonly restartSeconds: number;
}

interface World extends SlottedWorld {
  readonly fileId: string;
  readonly lines: number;
}

export async function runRework(
  args: readonly string[],
  abort: AbortController,
): Promise<Findings> {
  const parameters = parseNumbers(args, defaults);
  const { lines } = parameters;
  return await inSlottedWorld(parameters, abort, async (slotted) => {
    const workers = [await slotted.addWorker(), await slotted.addWorker()];
    const world = { ...slotted, lines, fileId: await uploadLines(slotted.user, lines) };
    say(`Running ${lines} requests undisturbed …`);
    const undisturbed = await runBatch(world);
    say(`It took ${Math.round(undisturbed.seconds)} s; running them again, with kills …`);
    const killer = new Killer(workers, parameters['kill-every-seconds']);
    const disturbed = await runBatch(world, killer);
    return findingsOf({ undisturbed, disturbed, kills: killer.kills }, parameters);
  });
}

/** From the call that creates the batch until it is terminal. */
async function runBatch({ user, upstream, fileId, lines }: World, killer?: Killer): Promise<Run> {
  await upstream.reset();
  const startedAt = performance.now();
  const { id } = await createBatch(user, fileId);
  killer?.start(user.signal);
  try {
    const batch = await pollUntil(user, id, isTerminal);
    const seconds = (performance.now() - startedAt) / 1000;
    await killer?.stop();
    const stats = await upstream.stats();
    await verifyResults(user, batch, { lines, status: 'completed', answered: lines });
    return { seconds, stats };
  } finally {
    await killer?.stop();
  }
}

/** Kills the workers in turn, and starts each again at once. */
class Killer {
  readonly kills: Kill[] = [];
  private readonly stopped = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly workers: readonly ManagedProcess[],
    private readonly everySeconds: number,
  ) {}

  start(signal: AbortSignal): void {
    this.running = this.run(AbortSignal.any([signal, this.stopped.signal]));
    this.running.catch(() => undefined);
  }

  /** Resolves when the worker that was killed last runs again. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await this.running;
  }

  private async run(signal: AbortSignal): Promise<void> {
    const startedAt = performance.now();
    const elapsedMs = (): number => performance.now() - startedAt;
    for (let number = 1; ; number++) {
      const dueMs = number * this.everySeconds * 1_000;
      await delay(Math.max(0, dueMs - elapsedMs()), undefined, { signal }).catch(() => undefined);
      const worker = this.workers[(number - 1) % this.workers.length];
      if (signal.aborted || worker === undefined) {
        return;
      }
      const at = elapsedMs() / 1000;
      worker.kill('SIGKILL');
      await worker.exited;
      const killedAt = performance.now();
      await worker.start();
      const restartSeconds = rounded((performance.now() - killedAt) / 1000);
      this.kills.push({ worker: worker.name, at: rounded(at), restartSeconds });
      say(`${worker.name} was killed after ${Math.round(at)} s`);
    }
  }
}

function findingsOf(
  runs: { readonly undisturbed: Run; readonly disturbed: Run; readonly kills: readonly Kill[] },
  parameters: Parameters,
): Findings {
  const { undisturbed, disturbed, kills } = runs;
  const { lines } = parameters;
  const ratio = rounded(undisturbed.seconds / disturbed.seconds);
  const requestsPerLine = disturbed.stats.requests / lines;
  return {
    ratio,
    upstream_requests_per_line: Math.round(requestsPerLine * 1e5) / 1e5,
    bar: everyBar([
      {
        asks: `upstream_requests_per_line of at most ${requestsPerLineMax}`,
        met: requestsPerLine <= requestsPerLineMax,
      },
      { asks: `ratio of at least ${ratioMin}`, met: ratio >= ratioMin },
      { asks: `at least ${killsMin} kills`, met: kills.length >= killsMin },
    ]),
    reference: { run: 'undisturbed', ...describe(undisturbed, parameters) },
    service: {
      run: 'with kills',
      ...describe(disturbed, parameters),
      answered_by_second: disturbed.stats.answeredBySecond,
      kills: kills.map((kill) => ({
        worker: kill.worker,
        at_seconds: kill.at,
        restart_seconds: kill.restartSeconds,
        lost_seconds: lostSeconds(kill, runs, parameters['kill-every-seconds']),
      })),
    },
    parameters: {
      lines,
      slots: parameters.slots,
      latency_ms: parameters['latency-ms'],
      holds: parameters.holds,
      in_flight_of_each_worker: parameters['in-flight'],
      kill_every_seconds: parameters['kill-every-seconds'],
    },
  };
}

function describe({ seconds, stats }: Run, { lines, slots, ...rest }: Parameters): object {
  return {
    seconds: rounded(seconds),
    requests_per_second: rounded(lines / seconds),
    slots_used: rounded((stats.answered * rest['latency-ms']) / 1000 / (slots * seconds)),
    upstream_requests: stats.requests,
    repeats: stats.repeats,
    refused: stats.refused,
    requests_by_worker: Object.fromEntries(
      Object.entries(stats.callers).map(([name, { requests }]) => [name, requests]),
    ),
  };
}

/** Answers that are missing between this kill and the next, in seconds of the undisturbed run. */
function lostSeconds(
  { at }: Kill,
  { undisturbed, disturbed }: { readonly undisturbed: Run; readonly disturbed: Run },
  seconds: number,
): number {
  const rate = usualRate(undisturbed);
  const from = Math.floor(at);
  const answered = disturbed.stats.answeredBySecond.slice(from, from + seconds);
  const missing = answered.reduce((sum, count) => sum + rate - count, 0);
  return rounded(missing / rate);
}

/** Answers a second of a run, its first and its last ones left out. */
function usualRate({ stats: { answeredBySecond } }: Run): number {
  const busy = answeredBySecond.slice(3, -3);
  return busy.reduce((sum, count) => sum + count, 0) / busy.length;
}
