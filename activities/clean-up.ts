/**
 * Removes what only a running batch needs: markers, plan, progress and ledger; and the bytes of its
 * input file if that was deleted meanwhile.
 *
 * Idempotent: what is gone stays gone.
 * Heartbeats every second with what it is doing.
 * Resumes from what is left.
 * Never fails for good.
 */
import { isFileId } from '../src/domain/ids';
import { batchKeys } from '../src/domain/object-keys';
import type { BatchRef } from '../src/domain/workflow-contract';
import type { ActivityDeps } from './deps';
import { heartbeating } from './heartbeating';

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
