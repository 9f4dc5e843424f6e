/** What a batch loses when Temporal and the object store are killed under it and come back. */
import { setTimeout as delay } from 'node:timers/promises';
import { say } from '../../scripts/cli/run-program';
import { waitUntil } from '../../scripts/local/wait';
import { createBatch, isTerminal, pollUntil, uploadLines, verifyResults } from '../bench-batch';
import { parseNumbers } from '../parse-numbers';
import { rounded } from '../process-stats';
import { everyBar, type Findings } from '../report';
import { inSlottedWorld, type SlottedWorld } from '../slotted-world';

export const serverRestartHelp = `server-restart: requests sent again when Temporal and MinIO are killed and started again
  --lines N               requests in the batch (150000)
  --down-seconds N        from the kill to the start (5)
  --gap-seconds N         of work before each kill, and after each outage (10)
  --slots N               requests that the upstream answers at a time (64)
  --latency-ms N          time that each of them takes (50)
  --in-flight N           requests in flight of each of the two workers (64)`;

const defaults = {
  lines: 150_000,
  'down-seconds': 5,
  'gap-seconds': 10,
  slots: 64,
  'latency-ms': 50,
  'in-flight': 64,
};
type Parameters = Readonly<Record<keyof typeof defaults, number>>;

type Server = 'temporal' | 'minio';
const outages: readonly (readonly Server[])[] = [['temporal'], ['minio'], ['temporal', 'minio']];
const workerCount = 2;
const recoveryTimeoutMs = 120_000;

interface Outage {
  readonly servers: readonly Server[];
  readonly repeats: number;
  /** Without any answer of the upstream, from the kill to the end of the gap that follows. */
  readonly idleSeconds: number;
}

interface RestartWorld extends SlottedWorld {
  readonly parameters: Parameters;
  readonly batchId: string;
}

export async function runServerRestart(
  args: readonly string[],
  abort: AbortController,
): Promise<Findings> {
  const parameters = parseNumbers(args, defaults);
  const { lines } = parameters;
  return await inSlottedWorld(parameters, abort, async (world) => {
    const { user, upstream } = world;
    for (let number = 1; number <= workerCount; number++) {
      await world.addWorker();
    }
    const fileId = await uploadLines(user, lines);
    await upstream.reset();
    const startedAt = performance.now();
    const { id: batchId } = await createBatch(user, fileId);
    await pollUntil(user, batchId, (batch) => (batch.request_counts?.completed ?? 0) > 0);
    const found: Outage[] = [];
    for (const servers of outages) {
      found.push(await measureOutage({ ...world, parameters, batchId }, servers));
    }
    const batch = await pollUntil(user, batchId, isTerminal);
    const seconds = (performance.now() - startedAt) / 1000;
    await verifyResults(user, batch, { lines, status: 'completed', answered: lines });
    const { repeats } = await upstream.stats();
    return findingsOf({ outages: found, seconds, repeats }, parameters);
  });
}

async function measureOutage(world: RestartWorld, servers: readonly Server[]): Promise<Outage> {
  const { user, upstream, parameters } = world;
  const gap = async (): Promise<void> => {
    await delay(parameters['gap-seconds'] * 1_000, undefined, { signal: user.signal });
  };
  await gap();
  await assertRunning(world);
  const before = await upstream.stats();
  say(`Killing ${servers.join(' and ')} …`);
  const processes = servers.map((name) => user.stack.process(name));
  await Promise.all(
    processes.map(async (process) => {
      process.kill('SIGKILL');
      await process.exited;
    }),
  );
  await delay(parameters['down-seconds'] * 1_000, undefined, { signal: user.signal });
  await Promise.all(
    processes.map(async (process) => {
      await process.start();
    }),
  );
  const { answered } = await upstream.stats();
  await waitUntil(async () => (await upstream.stats()).answered > answered + parameters.slots, {
    what: 'answers after an outage',
    timeoutMs: recoveryTimeoutMs,
    signal: user.signal,
  });
  await gap();
  const after = await upstream.stats();
  const since = after.answeredBySecond.slice(before.answeredBySecond.length);
  return {
    servers,
    repeats: after.repeats - before.repeats,
    idleSeconds: since.filter((count) => count === 0).length,
  };
}

/** An outage after the end of the batch would prove nothing. */
async function assertRunning({ user, batchId }: RestartWorld): Promise<void> {
  const { status } = await pollUntil(user, batchId, () => true);
  if (status !== 'in_progress') {
    throw new Error(`The batch is ${status} before the last outage: give it more lines.`);
  }
}

function findingsOf(
  run: { readonly outages: readonly Outage[]; readonly seconds: number; readonly repeats: number },
  parameters: Parameters,
): Findings {
  const { slots, 'in-flight': inFlight, lines } = parameters;
  const repeatsMax = run.outages.length * workerCount * inFlight;
  return {
    ratio: rounded(run.repeats / repeatsMax),
    bar: everyBar([
      { asks: 'a batch that completes by itself, with one line for each request', met: true },
      {
        asks: `at most ${repeatsMax} requests sent again: what is in flight, for each outage`,
        met: run.repeats <= repeatsMax,
      },
    ]),
    reference: {
      repeats_max: repeatsMax,
      seconds_at_best: rounded((lines * parameters['latency-ms']) / 1_000 / slots),
    },
    service: {
      seconds: rounded(run.seconds),
      repeats: run.repeats,
      outages: run.outages.map(({ servers, repeats, idleSeconds }) => ({
        servers,
        repeats,
        seconds_without_answers: idleSeconds,
      })),
    },
    parameters: { ...parameters, workers: workerCount },
  };
}
