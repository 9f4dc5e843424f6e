/**
 * How many batches, and how many of their lines, a project may have at a time.
 *
 * A batch that asks has its marker by then, so that of several that ask at the same time each sees
 * the others: there are never more than the limit, and sometimes one too many is refused.
 */
import type { ProjectLimits } from '../../domain/project';
import type { BatchRef } from '../../domain/workflow-contract';
import type { ApiDependencies } from '../dependencies';
import { ApiError, type ErrorKindName } from '../http/api-error';

type Limits = Pick<ProjectLimits, 'openBatchesMax' | 'queuedLinesMax'>;

/** @throws ApiError when the project has all that it may have. */
export async function assertRoom(
  { batches, clock }: Pick<ApiDependencies, 'batches' | 'clock'>,
  ref: BatchRef,
  { openBatchesMax, queuedLinesMax }: Limits,
): Promise<void> {
  const marked = await batches.listOpen(ref.projectId);
  if (marked.length <= openBatchesMax && queuedLinesMax === null) {
    return;
  }
  const others = marked.filter(({ batchId }) => batchId !== ref.batchId);
  // Markers of creates that were refused may be many; those of batches that run are older.
  const enough = queuedLinesMax === null ? openBatchesMax : Infinity;
  const open = await batches.unfinished(others, clock(), enough);
  if (open.length >= openBatchesMax) {
    throw refused(
      'batchLimitExceeded',
      `Batch limit reached: this project may have ${openBatchesMax} unfinished batches at a time.`,
    );
  }
  const lines = open.reduce((sum, record) => sum + (record?.requestCounts.total ?? 0), 0);
  if (queuedLinesMax !== null && lines >= queuedLinesMax) {
    throw refused(
      'queuedLinesLimitExceeded',
      `Queued request limit reached: the unfinished batches of this project hold ${lines} requests. Limit: ${queuedLinesMax} queued requests.`,
    );
  }
}

function refused(kind: ErrorKindName, what: string): ApiError {
  return new ApiError(
    kind,
    `${what} Please try again once some in_progress batches have been completed.`,
    // A batch takes longer than the official clients go on with their repeats.
    { headers: { 'x-should-retry': 'false' } },
  );
}
