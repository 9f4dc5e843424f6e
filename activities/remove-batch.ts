/** What becomes of a batch after its end: first its working state goes, much later the rest. */
import { endedAt, type BatchRecord } from '../src/domain/batch';
import { isFileId } from '../src/domain/ids';
import { batchKeys } from '../src/domain/object-keys';
import type { BatchRef } from '../src/domain/workflow-contract';
import { deleteBelow } from '../src/storage/delete-below';
import type { ActivityDeps } from './deps';

const secondsPerDay = 86_400;

/**
 * Removes what only a running batch needs: markers, plan, progress and ledger; and the bytes of its
 * input file if that was deleted meanwhile. The marker under `open/` goes last, so that whoever is
 * cut off here is not forgotten. Repeating it does no harm.
 */
export async function removeWorkingState(
  deps: ActivityDeps,
  ref: BatchRef,
  batch: BatchRecord | undefined,
): Promise<void> {
  if (batch !== undefined && isFileId(batch.inputFileId)) {
    await deps.files.release(ref.projectId, batch.inputFileId, ref.batchId);
  }
  await removeLedger(deps, ref);
  const removableAt = batch && removableFrom(deps, batch);
  if (removableAt !== undefined) {
    await deps.agenda.put(removableAt, ref.projectId, ref.batchId);
  }
  await deps.batches.close(ref);
}

/** Removes plan, progress and ledger, which nobody needs once the batch is terminal. */
export async function removeLedger({ store }: ActivityDeps, ref: BatchRef): Promise<void> {
  const { prefix, ...keys } = batchKeys(ref.projectId, ref.batchId);
  const working = [keys.plan, keys.progressPrefix, keys.shardsPrefix];
  await deleteBelow(store, prefix, (key) => working.some((one) => key.startsWith(one)));
}

/**
 * Removes a batch that ended long enough ago; its record last, so that a removal that is cut off is
 * taken up again. Its result files have an expiry of their own; content that never became a file,
 * because somebody wrote it after its time, goes with the batch.
 *
 * @returns false when the batch has not ended.
 */
export async function removeBatch(
  deps: ActivityDeps,
  ref: BatchRef,
  nowSeconds: number,
): Promise<boolean> {
  const { projectId, batchId } = ref;
  const keys = batchKeys(projectId, batchId);
  const batch = await deps.batches.get(ref);
  if (batch !== undefined) {
    const removableAt = removableFrom(deps, batch);
    if (removableAt === undefined) {
      return false;
    }
    if (removableAt > nowSeconds) {
      // The setting has grown since the batch ended.
      await deps.agenda.put(removableAt, projectId, batchId);
      return true;
    }
  }
  await deleteBelow(deps.store, keys.prefix, (key) => key !== keys.record);
  for (const fileId of Object.values(batch?.resultFileIds ?? {})) {
    await deps.files.sweep(projectId, { fileId, isDeleted: false }, nowSeconds);
  }
  await deps.store.delete([keys.record]);
  return true;
}

/** Unix seconds; `undefined` for a batch that has not ended. */
function removableFrom({ settings }: ActivityDeps, batch: BatchRecord): number | undefined {
  const ended = endedAt(batch);
  return ended === null ? undefined : ended + settings.batchRetentionDays * secondsPerDay;
}
