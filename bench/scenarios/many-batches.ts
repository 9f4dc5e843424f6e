/** How many small batches a second, created all at once, over what the engine does with nothing. */
import { setMaxListeners } from 'node:events';
import type { Client } from '@temporalio/client';
import type { Batch } from 'openai/resources';
import { say } from '../../scripts/cli/run-program';
import {
  batchUser,
  createBatch,
  isTerminal,
  pollUntil,
  uploadLines,
  verifyResults,
  type BatchUser,
} from '../bench-batch';
import { inBenchFolder, inBenchStack, serverPidsOf, workerPidsOf } from '../bench-stack';
import type { emptyWorkflow } from '../bench-workflows';
import { startLoadUpstream } from '../load-upstream';
import { parseNumbers } from '../parse-numbers';
import { rounded, startCpuClock } from '../process-stats';
import { atLeast, type Findings } from '../report';
import { median, spread } from '../statistics';
import { readWorkflowSize, type WorkflowSize } from '../workflow-size';
import { benchTaskQueue, withBenchWorkflows } from '../workflow-runner';

export const manyBatchesHelp = `many-batches: batches per second, created at once, over empty workflows per second
  --batches N             batches, and empty workflows (500)
  --lines N               requests of each batch (20)
  --rounds N              of each kind, in turn (3)
  --in-flight N           requests in flight of the worker (64)`;

const defaults = { batches: 500, lines: 20, rounds: 3, 'in-flight': 64 };
type Parameters = ReturnType<typeof parseNumbers<typeof defaults>>;

const ratioGoal = { floor: 0.6, aim: 0.9 };
const emptyActivities = 2;
/** Many watchers would be a load of their own. */
const watchersMax = 2;

interface World {
  readonly user: BatchUser;
  readonly client: Client;
  readonly fileId: string;
  readonly parameters: Parameters;
}

interface Turn {
  readonly perSecond: number;
  readonly cpu: Readonly<Record<string, number>>;
}

interface Turns {
  readonly batches: readonly Turn[];
  /** One child and two activities each. */
  readonly empty: readonly Turn[];
  /** One child and as many activities as a batch has. */
  readonly alike: readonly Turn[];
}

export async function runManyBatches(
  args: readonly string[],
  abort: AbortController,
): Promise<Findings> {
  const parameters = parseNumbers(args, defaults);
  // The polls of all batches listen to it.
  setMaxListeners(0, abort.signal);
  const upstream = await startLoadUpstream({ latencyMs: 0, slots: Infinity });
  try {
    return await inBenchFolder(async (folder) => {
      const target = { port: upstream.port, inFlight: parameters['in-flight'] };
      return await inBenchStack(
        { folder, upstream: target },
        abort,
        async (stack) =>
          await withBenchWorkflows(stack, async (client) => {
            const user = batchUser(stack, folder, abort.signal);
            const fileId = await uploadLines(user, parameters.lines);
            const world = { user, client, fileId, parameters };
            return await measure(world);
          }),
      );
    });
  } finally {
    await upstream.stop();
  }
}

async function measure(world: World): Promise<Findings> {
  const { client, parameters } = world;
  const size = await sizeOfBatch(world);
  // Its worker has never run a workflow either.
  await runEmpty(client, { workflowId: 'warm-up', activities: emptyActivities });
  const turns = { batches: [] as Turn[], empty: [] as Turn[], alike: [] as Turn[] };
  for (let round = 1; round <= parameters.rounds; round++) {
    const emptyTurn = async (activities: number): Promise<Turn> =>
      await takeTurn(world, async (at) => {
        const workflowId = `empty-${round}-${activities}-${at}`;
        return await startEmpty(client, { workflowId, activities });
      });
    turns.empty.push(await emptyTurn(emptyActivities));
    turns.batches.push(await takeBatchTurn(world));
    turns.alike.push(await emptyTurn(size.activities));
    say(
      `Batches: ${turns.batches.at(-1)?.perSecond} per second, empty workflows: ` +
        `${turns.empty.at(-1)?.perSecond}, with as many activities: ${turns.alike.at(-1)?.perSecond}`,
    );
  }
  return findingsOf(turns, size, parameters);
}

/** What a batch takes in the engine; the worker is warm afterwards. */
async function sizeOfBatch({ user, client, fileId }: World): Promise<WorkflowSize> {
  const { id } = await createBatch(user, fileId);
  await pollUntil(user, id, isTerminal);
  await client.workflow.getHandle(id).result();
  return await readWorkflowSize(client, id);
}

/** Clears the results of the batches as well, after the clock has stopped. */
async function takeBatchTurn(world: World): Promise<Turn> {
  const { user, fileId, parameters } = world;
  const { lines } = parameters;
  const ended: Batch[] = [];
  const turn = await takeTurn(world, async () => {
    const { id } = await createBatch(user, fileId);
    return async () => {
      ended.push(await pollUntil(user, id, isTerminal));
    };
  });
  for (const batch of ended) {
    await verifyResults(user, batch, { lines, status: 'completed', answered: lines });
  }
  return turn;
}

/** Starts as many as there are to be, at once, and waits for the last of them. */
async function takeTurn(
  { user, parameters }: World,
  start: (at: number) => Promise<() => Promise<void>>,
): Promise<Turn> {
  const { stack, signal } = user;
  signal.throwIfAborted();
  const stopCpuClock = startCpuClock({
    ...workerPidsOf(stack),
    ...serverPidsOf(stack),
    benchmark: process.pid,
  });
  const startedAt = performance.now();
  const started = await Promise.all(
    Array.from({ length: parameters.batches }, (_, at) => start(at)),
  );
  const left = started.values();
  const watchInTurn = async (): Promise<void> => {
    for (const untilEnded of left) {
      await untilEnded();
    }
  };
  await Promise.all(Array.from({ length: watchersMax }, watchInTurn));
  const seconds = (performance.now() - startedAt) / 1000;
  return { perSecond: rounded(parameters.batches / seconds), cpu: stopCpuClock() };
}

interface EmptyRun {
  readonly workflowId: string;
  readonly activities: number;
}

async function startEmpty(
  client: Client,
  { workflowId, activities }: EmptyRun,
): Promise<() => Promise<void>> {
  const handle = await client.workflow.start<typeof emptyWorkflow>('emptyWorkflow', {
    taskQueue: benchTaskQueue,
    workflowId,
    args: [activities],
  });
  return async () => {
    await handle.result();
  };
}

async function runEmpty(client: Client, run: EmptyRun): Promise<void> {
  const untilEnded = await startEmpty(client, run);
  await untilEnded();
}

function findingsOf(turns: Turns, size: WorkflowSize, parameters: Parameters): Findings {
  const rateOf = (kind: keyof Turns): number => median(turns[kind].map((turn) => turn.perSecond));
  const ratio = rounded(rateOf('batches') / rateOf('empty'));
  return {
    ratio,
    ratio_to_as_many_activities: rounded(rateOf('batches') / rateOf('alike')),
    bar: atLeast('ratio', ratio, ratioGoal),
    reference: {
      empty: { children: 1, activities: emptyActivities, ...describe(turns.empty) },
      as_many_activities: { children: 1, activities: size.activities, ...describe(turns.alike) },
    },
    service: { ...size, ...describe(turns.batches) },
    parameters,
  };
}

function describe(turns: readonly Turn[]): Record<string, unknown> {
  const rates = turns.map(({ perSecond }) => perSecond);
  return {
    per_second: median(rates),
    per_second_of_rounds: rates,
    spread: rounded(spread(rates)),
    cpu_seconds_of_rounds: turns.map(({ cpu }) => cpu),
  };
}
