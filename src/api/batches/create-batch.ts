import { isTerminal, newBatchRecord, type BatchRecord, type NewBatch } from '../../domain/batch';
import { isFileId, type ProjectId } from '../../domain/ids';
import type { ApiDependencies } from '../dependencies';
import { ApiError } from '../http/api-error';
import { assertRoom } from './admit-batch';
import type { BatchRequest } from './create-batch.wire';
import type { CreateRepeat } from './create-repeat.wire';
import { fixBatch } from './fix-batch';
import { viewBatch } from './view-batch';

/**
 * Creates a batch, or finds the one that an earlier attempt at the same request has created.
 *
 * Starting its workflow is the point from which it exists; the workflow writes the record itself
 * when this process dies before it does. Each step may be repeated.
 */
export async function createBatch(
  projectId: ProjectId,
  given: { readonly request: BatchRequest; readonly repeat: CreateRepeat },
  dependencies: ApiDependencies,
): Promise<BatchRecord> {
  const { batches } = dependencies;
  const { batch, isNew } = await fixBatch(projectId, given, dependencies);
  const isNamed = given.repeat.idempotencyKey !== undefined;
  if (isNew) {
    await start(batch, { isNamed }, dependencies);
    return newBatchRecord(batch);
  }
  const ref = { projectId, batchId: batch.id };
  const known = await batches.get(ref);
  if (known !== undefined) {
    return await viewBatch(dependencies, known);
  }
  await start(batch, { isNamed }, dependencies);
  const record = (await batches.get(ref)) ?? newBatchRecord(batch);
  if (isTerminal(record.status)) {
    // An attempt that was still under way has brought it to its end: the markers came too late.
    await removeMarkers(batch, dependencies);
  }
  return await viewBatch(dependencies, record);
}

async function start(
  batch: NewBatch,
  { isNamed }: { readonly isNamed: boolean },
  dependencies: ApiDependencies,
): Promise<void> {
  const { batches, files, projects, runner, settings, taskQueuePrefix, clock } = dependencies;
  const { projectId, inputFileId } = batch;
  // First, because it names the file: when this process dies now, the file's marker can be found.
  const starting = await batches.markStarting(batch, clock());
  if (isFileId(inputFileId)) {
    // Before the workflow looks at the file, so that nobody removes it in between. Whether there is
    // such a file is for the workflow to say, as OpenAI's does: the batch then fails.
    const user = { batchId: batch.id, nowSeconds: batch.createdAt };
    await files.use(projectId, inputFileId, user);
  }
  const limits = await projects.limits(projectId, settings.limits);
  try {
    await assertRoom(dependencies, { projectId, batchId: batch.id }, limits);
  } catch (error) {
    // Under the same name another attempt may be accepted at this moment, on the strength of these
    // very markers: those of a named one are left to the sweeper.
    if (error instanceof ApiError) {
      await (starting.isFirst && !isNamed
        ? removeMarkers(batch, dependencies)
        : batches.markRefused(batch, starting));
    }
    throw error;
  }
  const { runningBatchesMax } = limits;
  // When the engine gives no answer, the batch may have started: the markers have to stay. Addresses
  // of webhooks often hold a secret, which is not for histories: the marker has it.
  await runner.start({
    batch: withoutWebhook(batch),
    taskQueuePrefix,
    startedAtMs: clock(),
    ...(runningBatchesMax !== null && { runningBatchesMax }),
  });
  await batches.create(batch);
}

function withoutWebhook(batch: NewBatch): NewBatch {
  const { webhookUrl, ...rest } = batch;
  return webhookUrl === undefined ? batch : rest;
}

async function removeMarkers(batch: NewBatch, { batches, files }: ApiDependencies): Promise<void> {
  const { projectId, id: batchId, inputFileId } = batch;
  if (isFileId(inputFileId)) {
    await files.release(projectId, inputFileId, batchId);
  }
  await batches.close({ projectId, batchId });
}
