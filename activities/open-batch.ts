/**
 * Writes the record of a batch that the API had no time to write, and its marker.
 *
 * Idempotent: a record that exists stays as it is, and so does its marker, which was there before it.
 * Heartbeats every second.
 * Resumes from nothing: it is a few small writes.
 * Never fails for good.
 */
import { isTerminal, type NewBatch } from '../src/domain/batch';
import type { OpenBatchResult } from '../src/domain/workflow-contract';
import type { ActivityDeps } from './deps';

/** Says how the batch has ended, if it has: then there is nothing to open. */
export async function openBatch(deps: ActivityDeps, batch: NewBatch): Promise<OpenBatchResult> {
  const ref = { projectId: batch.projectId, batchId: batch.id };
  const record = await deps.batches.get(ref);
  if (record !== undefined) {
    return { endedAs: isTerminal(record.status) ? record.status : null };
  }
  await deps.batches.markOpen(batch);
  const webhookUrl = (await deps.batches.getMarker(ref))?.webhookUrl;
  await deps.batches.create({ ...batch, ...(webhookUrl !== undefined && { webhookUrl }) });
  return { endedAs: null };
}
