/** Control activities: short, and harmless when repeated. */
import { isTerminal, type BatchEnd, type NewBatch } from '../src/domain/batch';
import { isFileId } from '../src/domain/ids';
import { batchKeys } from '../src/domain/object-keys';
import type { BatchRef, DecideEndInput, OpenBatchResult } from '../src/domain/workflow-contract';
import { nowSeconds, type ActivityDeps } from './deps';
import { heartbeating } from './heartbeating';

/** Writes a record that the API had no time to write; says how the batch has ended, if it has. */
export async function openBatch(deps: ActivityDeps, batch: NewBatch): Promise<OpenBatchResult> {
  const ref = { projectId: batch.projectId, batchId: batch.id };
  const record = await deps.batches.get(ref);
  if (record !== undefined && isTerminal(record.status)) {
    return { endedAs: record.status };
  }
  await deps.batches.markOpen(ref);
  await deps.batches.create(batch);
  return { endedAs: null };
}

/** Decides how the batch ends, unless that is decided; records and returns what holds. */
export async function decideEnd(deps: ActivityDeps, input: DecideEndInput): Promise<BatchEnd> {
  const end = await deps.batches.decideEnd(input.ref, {
    reason: input.reason,
    at: nowSeconds(deps),
  });
  await deps.batches.apply(input.ref, { type: 'end_decided', end });
  return end;
}

/** Removes what only a running batch needs: markers, plan, progress and ledger. */
export async function cleanUp(deps: ActivityDeps, ref: BatchRef): Promise<void> {
  await heartbeating({ step: 'removing the ledger' }, async () => {
    const keys = batchKeys(ref.projectId, ref.batchId);
    const batch = await deps.batches.get(ref);
    if (batch !== undefined && isFileId(batch.inputFileId)) {
      await deps.files.release(ref.projectId, batch.inputFileId, ref.batchId);
    }
    await deleteAll(deps, keys.shardsPrefix);
    await deleteAll(deps, keys.progressPrefix);
    await deps.store.delete([keys.plan]);
    await deps.batches.close(ref);
  });
}

async function deleteAll({ store }: ActivityDeps, prefix: string): Promise<void> {
  let page;
  do {
    page = await store.list(prefix);
    await store.delete(page.items.map(({ key }) => key));
  } while (page.hasMore);
}
