import type { BatchError } from '../src/domain/batch';
import { batchErrors } from '../src/domain/error-codes';
import type { ProjectLimits } from '../src/domain/project';
import { refOf, type BatchRef } from '../src/domain/workflow-contract';
import type { ActivityDeps } from './deps';

/**
 * What is wrong with a batch whose lines, with those of the project's other unfinished batches, are
 * more than the project may have. The batch's plan is stored by then, so that of two that are
 * validated at the same time at least one sees the other.
 */
export async function queuedLinesProblem(
  { batches, now }: ActivityDeps,
  { ref, limits }: { readonly ref: BatchRef; readonly limits: ProjectLimits },
  total: number,
): Promise<Omit<BatchError, 'line'> | undefined> {
  const { queuedLinesMax } = limits;
  if (queuedLinesMax === null) {
    return undefined;
  }
  const open = await batches.listOpen(ref.projectId);
  const others = open.filter(({ batchId }) => batchId !== ref.batchId);
  let queued = 0;
  for (const record of await batches.unfinished(others, now())) {
    if (record?.status === 'validating') {
      const plan = await batches.getPlan(refOf(record));
      queued += plan?.total ?? 0;
    } else {
      queued += record?.requestCounts.total ?? 0;
    }
  }
  return queued + total > queuedLinesMax
    ? batchErrors.queuedLinesLimitExceeded({ linesMax: queuedLinesMax, queued, total })
    : undefined;
}
