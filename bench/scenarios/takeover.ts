/** How long the slices of a worker that is gone stand still before another worker runs them. */
import { setTimeout as delay } from 'node:timers/promises';
import { say } from '../../scripts/cli/run-program';
import type { ManagedProcess } from '../../scripts/local/managed-process';
import { waitUntil } from '../../scripts/local/wait';
import { shardLinesMin, shardsInParallelMax } from '../../src/domain/limits';
import { createBatch, isTerminal, pollUntil, uploadLines } from '../bench-batch';
import { parseNumbers } from '../parse-numbers';
import { rounded } from '../process-stats';
import { everyBar, type Findings } from '../report';
import { inSlottedWorld, type SlottedWorld } from '../slotted-world';
import { slicesStartedAt } from '../slices-started';
import { medianAndMax } from '../statistics';

export const takeoverHelp = `takeover: from the end of the only running worker to its slices running on another
  --rounds N              with SIGKILL, and as many with SIGTERM (5)
  --lines N               requests of a batch; 5000 of them make a shard (40000)
  --slots N               requests that the upstream answers at a time (64)
  --latency-ms N          time that each of them takes (500)`;

const defaults = { rounds: 5, lines: 40_000, slots: 64, 'latency-ms': 500 };

const killSecondsMax = 15;
const stopSecondsMax = 2;
/** For which the worker has run all slices before it is ended. */
const steadyMs = 3_000;
const takeoverTimeoutMs = 120_000;

type EndSignal = 'SIGKILL' | 'SIGTERM';

/** Seconds from the signal to the worker. */
interface Takeover {
  /** Until the other worker's first request reached the upstream. */
  readonly firstRequest: number;
  /** Until the other worker had started the last of the slices. */
  readonly allSlices: number;
  /** Requests that the upstream was sent again. */
  readonly repeats: number;
}

/** A worker, and what the upstream calls it. */
interface NamedWorker {
  readonly process: ManagedProcess;
  readonly caller: string;
}

interface Round extends SlottedWorld {
  readonly fileId: string;
  readonly lines: number;
  readonly signal: EndSignal;
  readonly running: NamedWorker;
  readonly idle: NamedWorker;
}

export async function runTakeover(
  args: readonly string[],
  abort: AbortController,
): Promise<Findings> {
  const parameters = parseNumbers(args, defaults);
  const { rounds, lines } = parameters;
  return await inSlottedWorld(parameters, abort, async (world) => {
    const fileId = await uploadLines(world.user, lines);
    let running = { process: await world.addWorker(), caller: 'worker-1' };
    let idle = { process: await world.addWorker(), caller: 'worker-2' };
    await idle.process.stop();
    const takeovers: Record<EndSignal, Takeover[]> = { SIGKILL: [], SIGTERM: [] };
    for (let round = 1; round <= 2 * rounds; round++) {
      const signal = round % 2 === 1 ? 'SIGKILL' : 'SIGTERM';
      const takeover = await measureTakeover({ ...world, fileId, lines, signal, running, idle });
      takeovers[signal].push(takeover);
      say(`${signal}: ${takeover.allSlices} s until all slices ran again`);
      [running, idle] = [idle, running];
    }
    return findingsOf(takeovers, { ...parameters, steady_ms: steadyMs });
  });
}

/** A batch whose slices all run on one worker, which is ended while the other has none. */
async function measureTakeover(round: Round): Promise<Takeover> {
  const { user, upstream, running, idle, signal } = round;
  await upstream.reset();
  const { id } = await createBatch(user, round.fileId);
  await slicesStarted(round, { on: running, batchId: id, since: 0 });
  await idle.process.start();
  await delay(steadyMs, undefined, { signal: user.signal });
  if ((await firstRequestAt(round)) !== undefined) {
    throw new Error('The worker that should be idle has a slice.');
  }
  const endedAt = Date.now();
  running.process.kill(signal);
  const lastStartedAt = await slicesStarted(round, { on: idle, batchId: id, since: endedAt });
  await running.process.exited;
  await delay(steadyMs, undefined, { signal: user.signal });
  const requestedAt = (await firstRequestAt(round)) ?? NaN;
  const { repeats } = await upstream.stats();
  await user.client.batches.cancel(id);
  await pollUntil(user, id, isTerminal);
  return {
    firstRequest: (requestedAt - endedAt) / 1000,
    allSlices: (lastStartedAt - endedAt) / 1000,
    repeats,
  };
}

/** Resolves to the time when the last of the slices that run at a time was started. */
async function slicesStarted(
  { user, lines }: Round,
  slices: { readonly on: NamedWorker; readonly batchId: string; readonly since: number },
): Promise<number> {
  const count = Math.min(shardsInParallelMax, Math.ceil(lines / shardLinesMin));
  let startedAt: number[] = [];
  await waitUntil(
    () => {
      startedAt = slicesStartedAt(slices.on.process, slices.batchId, slices.since);
      return startedAt.length >= count;
    },
    { what: `${count} slices`, timeoutMs: takeoverTimeoutMs, signal: user.signal },
  );
  return startedAt[count - 1] ?? NaN;
}

/** Of the worker that was idle; `undefined` when the upstream has not heard of it in this round. */
async function firstRequestAt({ upstream, idle }: Round): Promise<number | undefined> {
  return (await upstream.stats()).callers[idle.caller]?.firstRequestAt ?? undefined;
}

function findingsOf(
  takeovers: Readonly<Record<EndSignal, readonly Takeover[]>>,
  parameters: Findings['parameters'],
): Findings {
  const seconds = (signal: EndSignal): number[] =>
    takeovers[signal].map((takeover) => Math.max(takeover.allSlices, takeover.firstRequest));
  const killed = Math.max(...seconds('SIGKILL'));
  const stopped = Math.max(...seconds('SIGTERM'));
  return {
    ratio: rounded(killed / killSecondsMax),
    bar: everyBar([
      {
        asks: `at most ${killSecondsMax} s after SIGKILL, in every round`,
        met: killed <= killSecondsMax,
      },
      {
        asks: `at most ${stopSecondsMax} s after SIGTERM, in every round`,
        met: stopped <= stopSecondsMax,
      },
    ]),
    reference: { sigkill_seconds: killSecondsMax, sigterm_seconds: stopSecondsMax },
    service: { sigkill: describe(takeovers.SIGKILL), sigterm: describe(takeovers.SIGTERM) },
    parameters,
  };
}

function describe(takeovers: readonly Takeover[]): Record<string, unknown> {
  return {
    rounds: takeovers.length,
    first_request_seconds: medianAndMax(takeovers.map(({ firstRequest }) => firstRequest)),
    all_slices_seconds: medianAndMax(takeovers.map(({ allSlices }) => allSlices)),
    repeats: medianAndMax(takeovers.map(({ repeats }) => repeats)),
  };
}
