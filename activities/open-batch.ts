/**
 * Writes the record of a batch that the API had no time to write, and its marker.
 *
 * Idempotent: a record that exists stays as it is, and so does its marker, which was there before it.
 * Heartbeats every second.
 * Resumes from nothing: it is a few small writes.
 * Never fails for good.
 */
import type { BatchRecord, NewBatch } from '../src/domain/batch';
import { refOf } from '../src/domain/workflow-contract';
import type { ActivityDeps } from './deps';

/** The record, if there was one. When that is terminal there is nothing to open. */
export async function openBatch(
  deps: ActivityDeps,
  batch: NewBatch,
): Promise<BatchRecord | undefined> {
  const ref = refOf(batch);
  const record = await deps.batches.get(ref);
  if (record !== undefined) {
    return record;
  }
  await deps.batches.markOpen(batch);
  const webhookUrl = (await deps.batches.getMarker(ref))?.webhookUrl;
  await deps.batches.create({ ...batch, ...(webhookUrl !== undefined && { webhookUrl }) });
  return undefined;
}
