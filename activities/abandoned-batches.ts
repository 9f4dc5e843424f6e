/**
 * Markers of batches that never came to be, because the API died between marking and starting the
 * workflow. Those of batches that ended without being cleaned up are found by the recovery.
 *
 * A batch without a record never came to be only if Temporal has no workflow of it either. When
 * Temporal does not answer, the error is thrown, and the markers stay until a later sweep.
 */
import { isTerminal } from '../src/domain/batch';
import { isFileId, madeAtMs, type BatchId, type FileId, type ProjectId } from '../src/domain/ids';
import { openBatchKey } from '../src/domain/object-keys';
import type { BatchRef } from '../src/domain/workflow-contract';
import { putJson } from '../src/storage/json-object';
import type { ActivityDeps } from './deps';
import { openBatches } from './open-batches';

/** No request takes as long to start the workflow of a batch that it has marked. */
const requestMsMax = 3_600_000;
/** A request may be repeated under a name of the client's, for the same batch, for a day. */
const repeatMsMax = 2 * 86_400_000;

/** The batches that have had a marker under `open/` for longer than any request takes. */
export async function* longOpenBatches({
  store,
  now,
}: ActivityDeps): AsyncGenerator<BatchRef, void> {
  for await (const ref of openBatches(store)) {
    if (now() - madeAtMs(ref.batchId) > requestMsMax) {
      yield ref;
    }
  }
}

/** Removes the marker of a batch that never came to be. */
export async function closeIfAbandoned(deps: ActivityDeps, ref: BatchRef): Promise<void> {
  if ((await deps.batches.get(ref)) !== undefined) {
    return;
  }
  const marker = await deps.batches.getMarker(ref);
  if (marker === undefined || (await isStarted(deps, ref.batchId))) {
    return;
  }
  await deps.batches.close(ref);
  if (await isStarted(deps, ref.batchId)) {
    // Somebody repeated the request just now. A workflow that starts later puts the marker itself.
    const key = openBatchKey(ref.projectId, ref.batchId);
    await putJson(deps.store, key, marker, { ifAbsent: true });
  } else {
    await releaseMissingFile(deps, ref, marker.inputFileId);
  }
}

/** Takes away the markers of batches that ended or never came to be from a file that is to go. */
export async function releaseAbandonedUses(
  deps: ActivityDeps,
  projectId: ProjectId,
  fileId: FileId,
): Promise<void> {
  for (const batchId of await deps.files.users(projectId, fileId)) {
    if (deps.now() - madeAtMs(batchId) > repeatMsMax) {
      const record = await deps.batches.get({ projectId, batchId });
      const isNeeded =
        record === undefined ? await isStarted(deps, batchId) : !isTerminal(record.status);
      if (!isNeeded) {
        await deps.files.release(projectId, fileId, batchId);
      }
    }
  }
}

async function isStarted({ workflows }: ActivityDeps, batchId: BatchId): Promise<boolean> {
  return (await workflows.state(batchId)) !== 'missing';
}

/**
 * Nobody looks at the markers of a file that is gone, so this one goes now. That of a file which
 * exists stays: a repeat of the request may be about to start the batch.
 */
async function releaseMissingFile(
  { files }: ActivityDeps,
  { projectId, batchId }: BatchRef,
  fileId: string,
): Promise<void> {
  if (isFileId(fileId) && (await files.getUsed(projectId, fileId, batchId)) === undefined) {
    await files.release(projectId, fileId, batchId);
  }
}
