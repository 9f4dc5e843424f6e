/** How soon a cancel takes effect, and whether everything that had finished is kept. */
import { say } from '../../scripts/cli/run-program';
import { linesOf } from '../../scripts/demo/input-file';
import { downloadResults } from '../../scripts/demo/run-batch';
import { createBatch, isTerminal, pollUntil, uploadLines, verifyResults } from '../bench-batch';
import { parseNumbers } from '../parse-numbers';
import { rounded } from '../process-stats';
import { everyBar, type Findings } from '../report';
import { inSlottedWorld, type SlottedWorld } from '../slotted-world';
import { medianAndMax } from '../statistics';

export const cancelHelp = `cancel: from the cancel of a running batch to its last request and to its files
  --rounds N              batches that are cancelled (3)
  --lines N               requests of each (100000)
  --slots N               requests that the upstream answers at a time (64)
  --latency-ms N          time that each of them takes (50)`;

const defaults = { rounds: 3, lines: 100_000, slots: 64, 'latency-ms': 50 };

const lastRequestSecondsMax = 1.5;
const endSecondsMax = 15;
/** Of the lines are finished when the batch is cancelled. */
const finishedShare = 0.2;

interface CancelledWorld extends SlottedWorld {
  readonly fileId: string;
  readonly lines: number;
}

/** Seconds since the call returned. */
interface Cancel {
  readonly lastRequest: number;
  readonly end: number;
  /** The call itself, in seconds. */
  readonly call: number;
  /** Requests that the upstream answered in full, before the call and after it. */
  readonly answered: number;
  /** Those of them that are not in the output file. */
  readonly lost: number;
  readonly hasBothFiles: boolean;
}

export async function runCancel(
  args: readonly string[],
  abort: AbortController,
): Promise<Findings> {
  const parameters = parseNumbers(args, defaults);
  const { rounds, lines } = parameters;
  return await inSlottedWorld(parameters, abort, async (slotted) => {
    await slotted.addWorker();
    const world = { ...slotted, lines, fileId: await uploadLines(slotted.user, lines) };
    const cancels: Cancel[] = [];
    for (let round = 1; round <= rounds; round++) {
      const cancel = await measureCancel(world);
      cancels.push(cancel);
      say(
        `Last request after ${cancel.lastRequest} s, cancelled after ${cancel.end} s, ${cancel.answered} answers, ${cancel.lost} of them lost`,
      );
    }
    return findingsOf(cancels, { ...parameters, finished_share: finishedShare });
  });
}

async function measureCancel({ user, upstream, fileId, lines }: CancelledWorld): Promise<Cancel> {
  await upstream.reset();
  const { id } = await createBatch(user, fileId);
  await pollUntil(
    user,
    id,
    ({ request_counts: counts }) => (counts?.completed ?? 0) >= finishedShare * lines,
  );
  const calledAt = Date.now();
  await user.client.batches.cancel(id);
  const returnedAt = Date.now();
  const batch = await pollUntil(user, id, isTerminal);
  const endedAt = Date.now();
  await verifyResults(user, batch, { lines, status: 'cancelled' });
  const kept = await idsIn((await downloadResults(user.client, batch, user)).output);
  const answeredIds = await upstream.answeredIds();
  const { lastRequestAt } = await upstream.stats();
  return {
    lastRequest: ((lastRequestAt ?? NaN) - returnedAt) / 1000,
    end: (endedAt - returnedAt) / 1000,
    call: (returnedAt - calledAt) / 1000,
    answered: answeredIds.length,
    lost: answeredIds.filter((answered) => !kept.has(answered)).length,
    hasBothFiles:
      typeof batch.output_file_id === 'string' && typeof batch.error_file_id === 'string',
  };
}

/** A result line's id is the `x-request-id` that its request was sent with. */
async function idsIn(path: string): Promise<Set<string>> {
  const ids = new Set<string>();
  for await (const line of linesOf(path)) {
    ids.add((JSON.parse(line) as { readonly id: string }).id);
  }
  return ids;
}

function findingsOf(cancels: readonly Cancel[], parameters: Findings['parameters']): Findings {
  const slowest = (value: (cancel: Cancel) => number): number => Math.max(...cancels.map(value));
  const lastRequest = slowest((cancel) => cancel.lastRequest);
  const end = slowest((cancel) => cancel.end);
  return {
    ratio: rounded(lastRequest / lastRequestSecondsMax),
    bar: everyBar([
      {
        asks: `last new request at most ${lastRequestSecondsMax} s after the call returns, in every round`,
        met: lastRequest <= lastRequestSecondsMax,
      },
      {
        asks: `cancelled with both files at most ${endSecondsMax} s after it, in every round`,
        met: end <= endSecondsMax && cancels.every(({ hasBothFiles }) => hasBothFiles),
      },
      { asks: 'every answer in the output', met: cancels.every(({ lost }) => lost === 0) },
    ]),
    reference: { last_request_seconds: lastRequestSecondsMax, end_seconds: endSecondsMax },
    service: {
      rounds: cancels.length,
      last_request_seconds: medianAndMax(cancels.map((cancel) => cancel.lastRequest)),
      end_seconds: medianAndMax(cancels.map((cancel) => cancel.end)),
      call_seconds: medianAndMax(cancels.map((cancel) => cancel.call)),
      answered: cancels.map(({ answered }) => answered),
      lost: cancels.map(({ lost }) => lost),
    },
    parameters,
  };
}
