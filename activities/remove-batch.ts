/**
 * What becomes of a batch after its end: first its working state goes, much later the rest.
 *
 * No entry of the agenda says when that is. The id of a batch tells when it was made, and most have ended
 * when the default completion window is over: a sweep looks at the records of those that are old enough
 * for that.
 */
import { endedAt, type BatchRecord } from '../src/domain/batch';
import { firstBatchIdBy, isFileId, type BatchId, type ProjectId } from '../src/domain/ids';
import { completionWindowHoursDefault } from '../src/domain/limits';
import { batchKeys, fileKeys, openBatchKey } from '../src/domain/object-keys';
import type { BatchRef } from '../src/domain/workflow-contract';
import { deleteBelow } from '../src/storage/delete-below';
import type { ActivityDeps } from './deps';

const secondsPerHour = 3_600;
const secondsPerDay = 24 * secondsPerHour;
const batchesOfPage = 1_000;

/**
 * Removes what only a running batch needs: markers, plan, progress and ledger; and the bytes of its
 * input file if that was deleted meanwhile. The marker under `open/` goes last, so that whoever is cut
 * off here is not forgotten. Repeating it does no harm.
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
  await deps.batches.close(ref);
}

/**
 * The same where it is known what the ledger consists of, in one call: all goes, or it is called again.
 * If the input was deleted meanwhile, its bytes go with the next sweep.
 */
export async function removeKnownState(
  { store }: ActivityDeps,
  { projectId, id, inputFileId }: BatchRecord,
  ledgerKeys: readonly string[],
): Promise<void> {
  const uses = isFileId(inputFileId) ? [fileKeys(projectId, inputFileId).use(id)] : [];
  const { plan } = batchKeys(projectId, id);
  await store.delete([plan, ...ledgerKeys, ...uses, openBatchKey(projectId, id)]);
}

/** Removes plan, progress and ledger, which nobody needs once the batch is terminal. */
export async function removeLedger({ store }: ActivityDeps, ref: BatchRef): Promise<void> {
  const { prefix, ...keys } = batchKeys(ref.projectId, ref.batchId);
  const working = [keys.plan, keys.progressPrefix, keys.shardsPrefix];
  await deleteBelow(store, prefix, (key) => working.some((one) => key.startsWith(one)));
}

/**
 * The batches of a project that are to be removed if they have ended when they should, newest first. Not
 * yet those that would have to be looked at again and again until they are.
 */
export async function* oldBatches(
  { batches, settings }: ActivityDeps,
  projectId: ProjectId,
  nowSeconds: number,
): AsyncGenerator<BatchRef, void> {
  const keptSeconds =
    completionWindowHoursDefault * secondsPerHour + settings.batchRetentionDays * secondsPerDay;
  const madeBy = Math.max(0, nowSeconds - keptSeconds);
  let after: BatchId | undefined = firstBatchIdBy(madeBy * 1000);
  while (after !== undefined) {
    const page = await batches.list(projectId, { after, limit: batchesOfPage });
    yield* page.items.map((batchId) => ({ projectId, batchId }));
    after = page.hasMore ? page.items.at(-1) : undefined;
  }
}

/**
 * Removes a batch that ended long enough ago, or that never came to be; its record last, so that a
 * removal that is cut off is taken up again. Its result files have an expiry of their own; content
 * that never became a file, because somebody wrote it after its time, goes with the batch. One with a
 * marker is being created, or its working state is still to be removed.
 *
 * @returns whether the batch is gone.
 */
export async function removeIfOld(
  deps: ActivityDeps,
  ref: BatchRef,
  nowSeconds: number,
): Promise<boolean> {
  const keys = batchKeys(ref.projectId, ref.batchId);
  const batch = await deps.batches.get(ref);
  if (batch !== undefined && !isOld(deps, batch, nowSeconds)) {
    return false;
  }
  if ((await deps.batches.getMarker(ref)) !== undefined) {
    return false;
  }
  await deleteBelow(deps.store, keys.prefix, (key) => key !== keys.record);
  for (const fileId of Object.values(batch?.resultFileIds ?? {})) {
    await deps.files.sweep(ref.projectId, { fileId, isDeleted: false }, nowSeconds);
  }
  await deps.store.delete([keys.record]);
  return true;
}

function isOld({ settings }: ActivityDeps, batch: BatchRecord, nowSeconds: number): boolean {
  const ended = endedAt(batch);
  return ended !== null && ended + settings.batchRetentionDays * secondsPerDay <= nowSeconds;
}
