import { windowSeconds } from '../../config/config';
import type { BatchRecord, NewBatch } from '../../domain/batch';
import { newBatchRecord } from '../../domain/batch';
import { isFileId, makeBatchId, makeFileId, type ProjectId } from '../../domain/ids';
import type { ApiDependencies } from '../dependencies';
import type { BatchRequest } from './create-batch.wire';

/**
 * Creates a batch. Starting its workflow is the point from which it exists; the workflow writes the
 * record itself when this process dies before it does.
 */
export async function createBatch(
  projectId: ProjectId,
  request: BatchRequest,
  dependencies: ApiDependencies,
): Promise<BatchRecord> {
  const { files, runner, batches, taskQueuePrefix } = dependencies;
  const batch = newBatch(projectId, request, dependencies);
  if (isFileId(batch.inputFileId)) {
    // Before the workflow looks at the file, so that nobody removes it in between. Whether there is
    // such a file is for the workflow to say, as OpenAI's does: the batch then fails.
    const user = { batchId: batch.id, nowSeconds: batch.createdAt };
    await files.use(batch.projectId, batch.inputFileId, user);
  }
  await batches.markOpen({ projectId: batch.projectId, batchId: batch.id });
  // When the engine gives no answer, the batch may have started: the markers have to stay.
  await runner.start({ batch, taskQueuePrefix });
  await batches.create(batch);
  return newBatchRecord(batch);
}

function newBatch(
  projectId: ProjectId,
  request: BatchRequest,
  { clock, randomHex }: ApiDependencies,
): NewBatch {
  const nowMs = clock();
  const createdAt = Math.floor(nowMs / 1000);
  const seconds = windowSeconds(request.completionWindow);
  if (seconds === undefined) {
    throw new Error(`the completion window ${request.completionWindow} is not one`);
  }
  return {
    id: makeBatchId(nowMs, randomHex()),
    projectId,
    ...request,
    resultFileIds: {
      output: makeFileId(nowMs, randomHex()),
      error: makeFileId(nowMs, randomHex()),
    },
    createdAt,
    expiresAt: createdAt + seconds,
  };
}
