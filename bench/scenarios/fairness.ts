/** How much longer a small batch takes beside a large one than alone. */
import { say } from '../../scripts/cli/run-program';
import { createBatch, isTerminal, pollUntil, uploadLines, verifyResults } from '../bench-batch';
import { parseNumbers } from '../parse-numbers';
import { rounded } from '../process-stats';
import { atMost, type Findings } from '../report';
import { inSlottedWorld, type SlottedWorld } from '../slotted-world';
import { median, spread } from '../statistics';

export const fairnessHelp = `fairness: time of a small batch beside a large one, over its time alone
  --lines N               requests of the large batch, which is cancelled in the end (1000000)
  --small-lines N         requests of the small ones (100)
  --rounds N              small batches before the large one, beside it and after it (5)
  --slots N               requests that the upstream answers at a time (64)
  --latency-ms N          time that each of them takes (50)`;

const defaults = {
  lines: 1_000_000,
  'small-lines': 100,
  rounds: 5,
  slots: 64,
  'latency-ms': 50,
};
type Parameters = ReturnType<typeof parseNumbers<typeof defaults>>;

const ratioGoal = { floor: 3, aim: 1.2 };

interface FairnessWorld extends SlottedWorld {
  readonly smallFileId: string;
  readonly parameters: Parameters;
}

/** Seconds from the call that creates a small batch until it is terminal. */
interface Seconds {
  readonly before: readonly number[];
  readonly beside: readonly number[];
  readonly after: readonly number[];
}

export async function runFairness(
  args: readonly string[],
  abort: AbortController,
): Promise<Findings> {
  const parameters = parseNumbers(args, defaults);
  return await inSlottedWorld({ ...parameters, knowsIds: false }, abort, async (slotted) => {
    await slotted.addWorker();
    const { user, upstream } = slotted;
    const smallFileId = await uploadLines(user, parameters['small-lines']);
    const largeFileId = await uploadLines(user, parameters.lines);
    const world = { ...slotted, smallFileId, parameters };
    // The first batch of a worker finds everything cold.
    await runSmall(world);
    const before = await runSmallOnes(world);
    const { id } = await createBatch(user, largeFileId);
    await pollUntil(user, id, (batch) => (batch.request_counts?.completed ?? 0) > 0);
    say('The large batch runs.');
    const beside = await runSmallOnes(world);
    const { status, request_counts: counts } = await pollUntil(user, id, () => true);
    if (status !== 'in_progress') {
      throw new Error(`The large batch is ${status} too early: give it more lines.`);
    }
    await user.client.batches.cancel(id);
    await pollUntil(user, id, isTerminal);
    const after = await runSmallOnes(world);
    const { refused } = await upstream.stats();
    const service = { large_completed: counts?.completed ?? 0, refused };
    return findingsOf({ before, beside, after }, service, parameters);
  });
}

async function runSmallOnes(world: FairnessWorld): Promise<number[]> {
  const seconds: number[] = [];
  while (seconds.length < world.parameters.rounds) {
    seconds.push(await runSmall(world));
  }
  say(`Small batches took ${seconds.join(', ')} s`);
  return seconds;
}

async function runSmall({ user, smallFileId, parameters }: FairnessWorld): Promise<number> {
  const lines = parameters['small-lines'];
  const startedAt = performance.now();
  const { id } = await createBatch(user, smallFileId);
  const batch = await pollUntil(user, id, isTerminal);
  const seconds = rounded((performance.now() - startedAt) / 1000);
  await verifyResults(user, batch, { lines, status: 'completed', answered: lines });
  return seconds;
}

function findingsOf(
  { before, beside, after }: Seconds,
  service: Readonly<Record<string, number>>,
  parameters: Parameters,
): Findings {
  const alone = [...before, ...after];
  const ratio = rounded(median(beside) / median(alone));
  return {
    ratio,
    bar: atMost('ratio', ratio, ratioGoal),
    reference: {
      batch: 'alone',
      seconds: median(alone),
      spread: rounded(spread(alone)),
      seconds_of_rounds_before: before,
      seconds_of_rounds_after: after,
    },
    service: {
      batch: 'beside the large one',
      seconds: median(beside),
      spread: rounded(spread(beside)),
      seconds_of_rounds: beside,
      ...service,
    },
    parameters,
  };
}
