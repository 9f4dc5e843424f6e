/**
 * Waits until a batch may run: the oldest unfinished batches of its project may, as many as run at a
 * time there. A limit that has changed holds from the next look on.
 *
 * Idempotent: it only reads. Whose turn it is follows from the markers of the open batches alone, so
 * there is no queue to keep, and no lock that a dead batch could hold.
 * Heartbeats every second.
 * Resumes from nothing.
 * Fails while others go first, to be tried again some seconds later: so a batch that waits takes no
 * place on a worker, writes no events, and is cancelled at once.
 */
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { BatchId } from '../src/domain/ids';
import type { TakeTurnInput, TakeTurnResult } from '../src/domain/workflow-contract';
import type { ActivityDeps } from './deps';
import { heartbeating } from './heartbeating';

/** The next in turn looks often, those far behind seldom. */
const delaySecondsMin = 2;
const delaySecondsMax = 30;

export async function takeTurn(deps: ActivityDeps, input: TakeTurnInput): Promise<TakeTurnResult> {
  return await heartbeating({ step: 'waiting for a turn' }, async () => {
    if ((await deps.batches.getEnd(input.ref)) !== undefined) {
      return { ended: true };
    }
    const before = await countBefore(deps, input);
    if (before > 0) {
      throw notYet(before);
    }
    return { ended: false };
  });
}

/**
 * How many batches have to end before this one may run; at most, as some may have ended. Only as many
 * records are read as may run: hundreds of batches that wait would otherwise read each other's.
 */
async function countBefore(deps: ActivityDeps, input: TakeTurnInput): Promise<number> {
  const { batches, now } = deps;
  const { ref } = input;
  const runningBatchesMax = await runningMax(deps, input);
  const open = await batches.listOpen(ref.projectId);
  const older = open.filter(({ batchId }) => isOlder(batchId, ref.batchId));
  if (older.length < runningBatchesMax) {
    return 0;
  }
  const running = await batches.unfinished(older, now(), runningBatchesMax);
  return running.length < runningBatchesMax ? 0 : older.length + 1 - runningBatchesMax;
}

/** What the project's record says now; otherwise what held when the batch was created. */
async function runningMax(
  { projects, settings }: ActivityDeps,
  { ref, runningBatchesMax }: TakeTurnInput,
): Promise<number> {
  const limits = await projects.limits(ref.projectId, { ...settings.limits, runningBatchesMax });
  return limits.runningBatchesMax ?? Infinity;
}

/** Ids carry an inverted timestamp. */
function isOlder(batchId: BatchId, other: BatchId): boolean {
  return batchId > other;
}

function notYet(before: number): ApplicationFailure {
  const delaySeconds = Math.min(delaySecondsMax, Math.max(delaySecondsMin, before));
  return ApplicationFailure.create({
    type: 'NotItsTurn',
    message: `Other batches of the project go first; up to ${before} of them have to end before this one runs`,
    nextRetryDelay: delaySeconds * 1000,
    category: ApplicationFailureCategory.BENIGN,
  });
}
