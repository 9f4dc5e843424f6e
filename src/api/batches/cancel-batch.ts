import type { BatchEnd, BatchRecord } from '../../domain/batch';
import { isTerminal, transition } from '../../domain/batch';
import type { ProjectId } from '../../domain/ids';
import { refOf } from '../../domain/workflow-contract';
import { EngineUnavailable } from '../../temporal/batch-runner';
import type { ApiDependencies } from '../dependencies';
import { ApiError } from '../http/api-error';
import { findBatch, viewBatch } from './view-batch';

/**
 * Cancels a batch, unless something else has decided how it ends. Repeating it does no harm.
 *
 * @returns the batch, `cancelling` or `cancelled`.
 */
export async function cancelBatch(
  projectId: ProjectId,
  batchId: string,
  dependencies: ApiDependencies,
): Promise<BatchRecord> {
  const { batches, clock } = dependencies;
  const record = await findBatch({ batches, projectId }, batchId);
  if (record.status === 'cancelled') {
    return record;
  }
  if (isTerminal(record.status) || record.status === 'finalizing') {
    throw cannotCancel(record.status);
  }
  const end = await batches.decideEnd(refOf(record), {
    reason: 'cancelled',
    at: Math.floor(clock() / 1000),
  });
  if (end.reason !== 'cancelled') {
    throw cannotCancel(statusAfter(record, end));
  }
  await signalCancel(record, dependencies);
  return await viewBatch(dependencies, record);
}

/** Only makes it quicker: whoever works on the batch looks at `end` anyway. */
async function signalCancel(
  record: BatchRecord,
  { runner, logger }: ApiDependencies,
): Promise<void> {
  try {
    await runner.signalCancel(record.id);
  } catch (error) {
    if (!(error instanceof EngineUnavailable)) {
      throw error;
    }
    logger.warn({ batch: record.id, err: error }, 'batch not told that it is cancelled');
  }
}

/** What the batch is on its way to: its next status, or how it will end when it skips that. */
function statusAfter(record: BatchRecord, end: BatchEnd): string {
  const next = transition(record, { type: 'end_decided', end });
  return next === record ? end.reason : next.status;
}

function cannotCancel(status: string): ApiError {
  return new ApiError('conflict', `Cannot cancel a batch with status '${status}'.`, {
    // The official clients repeat a 409 unless they are told not to.
    headers: { 'x-should-retry': 'false' },
  });
}
