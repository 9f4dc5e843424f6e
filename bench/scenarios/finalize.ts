/** What stringing the sealed objects of a batch together costs, over a bare loop of part copies. */
import { execFileSync } from 'node:child_process';
import type { Client } from '@temporalio/client';
import { say } from '../../scripts/cli/run-program';
import type { Stack } from '../../scripts/local/stack';
import { createMinioObjectStore } from '../../src/storage/minio-object-store';
import type { ObjectStore } from '../../src/storage/object-store';
import { inBenchFolder, inBenchStack, workerPidsOf } from '../bench-stack';
import type { finalizeWorkflow } from '../bench-workflows';
import { copyParts } from '../copy-parts';
import { parseNumbers } from '../parse-numbers';
import {
  ioBytes,
  isDisturbedByOthers,
  rounded,
  startCpuClock,
  startOthersClock,
} from '../process-stats';
import { atMost, everyBar, type Findings } from '../report';
import { plantSealedBatch, type SealedBatch } from '../sealed-batch';
import { median, spread } from '../statistics';
import { benchTaskQueue, withBenchWorkflows } from '../workflow-runner';

export const finalizeHelp = `finalize: time to string sealed objects together, over a bare loop of part copies
  --megabytes N           of all sealed objects together (2500)
  --shards N              sealed objects (256)
  --rounds N              of each, in turn (5)
  --parallel N            copies at a time of the bare loop (8)`;

const defaults = { megabytes: 2_500, shards: 256, rounds: 5, parallel: 8 };
type Parameters = ReturnType<typeof parseNumbers<typeof defaults>>;

const ratioGoal = { floor: 1.5, aim: 1.1 };
const bytesShareGoal = { floor: 0.05, aim: 0 };
/** The product's default. */
const taskQueuePrefix = 'longhaul';

const contenders = ['copy_loop', 'finalize'] as const;
type Contender = (typeof contenders)[number];

interface Turn {
  readonly seconds: number;
  readonly workerBytes: number;
  readonly cpu: Readonly<Record<string, number>>;
  readonly othersShare: number;
}

type Turns = Readonly<Record<Contender, Turn[]>>;

interface World {
  readonly stack: Stack;
  readonly store: ObjectStore;
  readonly client: Client;
  readonly batch: SealedBatch;
  readonly parallel: number;
}

export async function runFinalize(
  args: readonly string[],
  abort: AbortController,
): Promise<Findings> {
  const parameters = parseNumbers(args, defaults);
  const { megabytes, shards, rounds, parallel } = parameters;
  return await inBenchFolder(async (folder) => {
    const parts = ['minio', 'temporal', 'workers'] as const;
    const options = { folder, parts, upstream: { port: 1, inFlight: 1 } };
    return await inBenchStack(options, abort, async (stack) => {
      const store = createMinioObjectStore(stack.store);
      say(`Writing ${shards} sealed objects of ${megabytes} MB …`);
      const size = megabytes * 1e6;
      const batch = await plantSealedBatch(store, { shardCount: shards, size });
      const turns: Turns = { copy_loop: [], finalize: [] };
      await withBenchWorkflows(stack, async (client) => {
        const world = { stack, store, client, batch, parallel };
        // Whoever comes first finds the store rested.
        for (let round = 0; round < rounds; round++) {
          for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
            abort.signal.throwIfAborted();
            turns[contender].push(await takeTurn(world, contender));
          }
        }
      });
      store.close();
      return findingsOf(turns, parameters, batch);
    });
  });
}

/** Writes the output, checks that it is all there, and removes it. */
async function takeTurn(world: World, contender: Contender): Promise<Turn> {
  const { stack, store, batch } = world;
  const { input, outputKey } = await batch.reset();
  // Dirty pages of the turn before would be written during this one.
  execFileSync('sync');
  const workers = workerPidsOf(stack);
  const workerPids = Object.values(workers);
  const bytesBefore = ioBytes(workerPids);
  const pids = { minio: stack.process('minio').pid, temporal: stack.process('temporal').pid };
  const stopCpuClock = startCpuClock({
    ...pids,
    ...workers,
    benchmark: process.pid,
  });
  const stopOthersClock = startOthersClock([...Object.values(pids), ...workerPids, process.pid]);
  const startedAt = performance.now();
  const key = contender === 'finalize' ? outputKey : 'bench/copy-loop';
  if (contender === 'finalize') {
    await world.client.workflow.execute<typeof finalizeWorkflow>('finalizeWorkflow', {
      taskQueue: benchTaskQueue,
      workflowId: outputKey,
      args: [input, taskQueuePrefix],
    });
  } else {
    const sources = batch.objects.map((object) => object.key);
    await copyParts(stack.store, { sources, to: key }, world.parallel);
  }
  const turn = {
    seconds: (performance.now() - startedAt) / 1000,
    workerBytes: ioBytes(workerPids) - bytesBefore,
    cpu: stopCpuClock(),
    othersShare: stopOthersClock(),
  };
  const written = await store.head(key);
  if (written?.sizeBytes !== batch.bytes) {
    throw new Error(`The output has ${written?.sizeBytes ?? 0} of ${batch.bytes} bytes.`);
  }
  await store.delete([key]);
  say(`${contender}: ${rounded(turn.seconds)} s, ${turn.workerBytes} bytes through the worker`);
  return turn;
}

function findingsOf(turns: Turns, parameters: Parameters, { bytes }: SealedBatch): Findings {
  const secondsOf = (contender: Contender): number =>
    median(turns[contender].map(({ seconds }) => seconds));
  const ratio = rounded(secondsOf('finalize') / secondsOf('copy_loop'));
  const workerBytes = Math.max(...turns.finalize.map((turn) => turn.workerBytes));
  const bytesShare = rounded(workerBytes / bytes);
  const disturbed = isDisturbedByOthers(Object.values(turns).flat());
  return {
    ratio,
    worker_bytes_share: bytesShare,
    disturbed,
    bar: everyBar([
      atMost('ratio', ratio, ratioGoal),
      atMost('worker_bytes_share', bytesShare, bytesShareGoal),
      { asks: 'a run that was not disturbed', met: !disturbed },
    ]),
    reference: { client: 'UploadPartCopy, signed by hand', ...describe(turns.copy_loop) },
    service: { worker_bytes: workerBytes, ...describe(turns.finalize) },
    parameters: { ...parameters, output_bytes: bytes },
  };
}

function describe(turns: readonly Turn[]): Record<string, unknown> {
  const seconds = turns.map((turn) => rounded(turn.seconds));
  return {
    seconds: median(seconds),
    seconds_of_rounds: seconds,
    spread: rounded(spread(seconds)),
    cpu_seconds_of_rounds: turns.map(({ cpu }) => cpu),
    others_cpu_share_of_rounds: turns.map(({ othersShare }) => othersShare),
  };
}
